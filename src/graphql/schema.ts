import { isObjectType } from 'graphql';
import './scalars.ts';
import './errors.ts';
import '../accounts/user.type.ts';
import '../accounts/accounts.mutations.ts';
import '../external-auth/device.mutations.ts';
import '../external-auth/external-auth.queries.ts';
import '../external-auth/external-auth.mutations.ts';
import '../external-auth/flow.mutations.ts';
import '../external-auth/hand-out.queries.ts';
import '../external-auth/link-changes.subscription.ts';
import '../oauth-apps/oauth-apps.queries.ts';
import '../oauth-apps/oauth-apps.mutations.ts';
import '../ssh-keys/ssh-keys.queries.ts';
import '../ssh-keys/ssh-keys.mutations.ts';
import { builder } from './builder.ts';

export const schema = builder.toSchema({ sortSchema: true });

// The Prisma plugin makes this field itself, and takes no description for it.
for (const type of Object.values(schema.getTypeMap())) {
  const totalCount = isObjectType(type) ? type.getFields().totalCount : undefined;
  if (totalCount) totalCount.description ??= 'How many there are on all pages together.';
}

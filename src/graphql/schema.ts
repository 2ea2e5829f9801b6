import { defaultFieldResolver, type GraphQLSchema, isObjectType } from 'graphql';
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

/**
 * The schema without its checks of scopes, which are a function call for each field of each row: for an operation
 * whose every check its viewer is known to pass. A field that is a plain column has no resolver there.
 */
export function buildUncheckedSchema(): GraphQLSchema {
  const unchecked = builder.toSchema({ disableScopeAuth: true });
  for (const type of Object.values(unchecked.getTypeMap())) {
    for (const field of Object.values(isObjectType(type) ? type.getFields() : {})) {
      if (field.resolve === defaultFieldResolver) delete field.resolve;
    }
  }
  return unchecked;
}

// The Prisma plugin makes this field itself, and takes no description for it.
for (const type of Object.values(schema.getTypeMap())) {
  const totalCount = isObjectType(type) ? type.getFields().totalCount : undefined;
  if (totalCount) totalCount.description ??= 'How many there are on all pages together.';
}

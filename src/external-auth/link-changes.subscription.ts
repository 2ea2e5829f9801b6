import { builder } from '../graphql/builder.ts';
import { requireViewer } from '../graphql/context.ts';
import { createEventStream } from '../graphql/event-stream.ts';
import type { LinkChanged, Notifications } from '../notifications.ts';
import { ExternalAuthLink } from './external-auth-link.type.ts';
import { viewerLink } from './links.loader.ts';

const ExternalAuthLinkChangeKind = builder.enumType('ExternalAuthLinkChangeKind', {
  description: 'What happened to a link.',
  values: {
    LINKED: { description: 'An account was linked, or linked again.' },
    REFRESHED: { description: 'Its token was renewed.' },
    BROKEN: { description: 'The provider refused to renew its token for good: link the account again.' },
    UNLINKED: { description: 'It was unlinked.' },
  } as const,
});

const ExternalAuthLinkChange = builder.objectRef<LinkChanged>('ExternalAuthLinkChange').implement({
  description: 'Something that has just happened to one of your links.',
  authScopes: { scope: 'external_auth:read' },
  fields: (t) => ({
    providerId: t.exposeString('providerId', { description: 'The id of its provider.' }),
    change: t.expose('change', { type: ExternalAuthLinkChangeKind, description: 'What it was.' }),
    link: t.field({
      type: ExternalAuthLink,
      nullable: true,
      description:
        'The link as it is now, which may be later than the change; null when there is none any more.',
      resolve: ({ providerId }, _args, context) => viewerLink(context, providerId),
    }),
  }),
});

builder.subscriptionField('externalAuthLinkChanged', (t) =>
  t.field({
    type: ExternalAuthLinkChange,
    description:
      'Tells when one of your links changes, by whichever process. It tells what happens while it is open, and may miss a change when connections break: read the links after you have connected, and again whenever you connect anew. It ends when your token does.',
    authScopes: { scope: 'external_auth:read' },
    args: {
      providerId: t.arg.string({ description: 'Only of this provider; of all when absent.' }),
    },
    subscribe: (_root, { providerId }, context) =>
      changesOf(context.runtime.notifications, requireViewer(context).user.id, providerId ?? null),
    resolve: (change) => change,
  }),
);

function changesOf(
  notifications: Notifications,
  userId: string,
  providerId: string | null,
): AsyncIterableIterator<LinkChanged> {
  return createEventStream((push) =>
    notifications.subscribe((heard) => {
      if (heard === 'missed' || heard.kind !== 'external_auth_link' || heard.userId !== userId) return;
      if (providerId === null || heard.providerId === providerId) push(heard);
    }),
  );
}

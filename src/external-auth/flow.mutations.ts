import { InvalidInput, NotFound } from '../errors.ts';
import { builder } from '../graphql/builder.ts';
import { requireViewer } from '../graphql/context.ts';
import { issueTicket } from './flow.service.ts';
import { ProviderFailure } from './providers/provider.ts';

builder.relayMutationField(
  'startExternalAuth',
  {
    description: 'Which account to link, and where to end.',
    inputFields: (t) => ({
      providerId: t.string({ required: true, description: 'Such as `github`.' }),
      redirectTo: t.string({
        description: 'Where the browser ends when all went well: a path of this server. `/` when absent.',
      }),
    }),
  },
  {
    description:
      'Begins to link an account in a browser. For front ends that hold a token and no cookie; a browser with a session opens `/external-auth/ID` instead.',
    authScopes: { scope: 'external_auth:write' },
    errors: { types: [InvalidInput, NotFound, ProviderFailure] },
    resolve: async (_root, { input }, context) => ({
      url: (await issueTicket(context.runtime, requireViewer(context), input)).href,
    }),
  },
  {
    description: 'Where to send the browser.',
    outputFields: (t) => ({
      url: t.field({
        type: 'URL',
        description:
          'Open it in the browser of the person, within two minutes; it works once. Unless the browser comes from a page of `CORS_ORIGINS`, or is signed in here, the person is asked first.',
        resolve: ({ url }) => url,
      }),
    }),
  },
);

import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';

/**
 * The bodies of Coder's dialect. A field is never left out, and never null, unless its schema says so: the clients
 * are typed, and take an absent list for a fault.
 */

/** Go's zero time, which the dialect's clients take for "never". */
export const GO_ZERO_TIME = '0001-01-01T00:00:00Z';

const timestamp = z.iso.datetime().meta({ example: '2019-08-24T14:15:22Z' });

export const Problem = z
  .object({
    message: z.string().meta({ description: 'What went wrong, for people.' }),
    detail: z.string().optional().meta({
      description: 'More of it. Where a device is linked: the bare OAuth error code, and nothing else.',
    }),
    validations: z
      .array(z.object({ field: z.string(), detail: z.string() }))
      .optional()
      .meta({ description: 'The faults of the body and the query, by field.' }),
  })
  .meta({ id: 'CoderProblem', description: 'Every error of this dialect.' });

const ExternalAuthUser = z
  .object({
    id: z.int().meta({
      format: 'int64',
      description: "The provider's number of the account; 0 when the provider names accounts by other texts.",
    }),
    login: z.string(),
    avatar_url: z.string(),
    profile_url: z.string(),
    name: z.string(),
  })
  .meta({ id: 'CoderExternalAuthUser', description: 'An account at a provider.' });

const ExternalAuthAppInstallation = z
  .object({
    id: z.int(),
    account: ExternalAuthUser,
    configure_url: z.string(),
  })
  .meta({
    id: 'CoderExternalAuthAppInstallation',
    description: "Where the provider's app is installed (GitHub).",
  });

export const ExternalAuth = z
  .object({
    authenticated: z.boolean().meta({ description: 'Whether the provider takes your token.' }),
    device: z.boolean().meta({ description: 'Whether the provider has a device flow.' }),
    display_name: z.string(),
    supports_revocation: z.boolean().meta({ description: 'Whether unlinking revokes the token upstream.' }),
    user: ExternalAuthUser.nullable().meta({
      description: 'The linked account; null when there is nobody to show.',
    }),
    app_installable: z.boolean(),
    installations: z.array(ExternalAuthAppInstallation),
    app_install_url: z.string().meta({ description: 'Empty when the provider has no app.' }),
  })
  .meta({ id: 'CoderExternalAuth', description: 'A provider, and your account there.' });

const ExternalAuthLink = z
  .object({
    provider_id: z.string(),
    created_at: timestamp,
    updated_at: timestamp,
    has_refresh_token: z.boolean(),
    expires: timestamp.meta({ description: `${GO_ZERO_TIME} when the token never expires.` }),
    authenticated: z.boolean().meta({ description: 'Whether the provider takes the token.' }),
    validate_error: z
      .string()
      .meta({ description: 'Why the provider could not be asked, or refused; else empty.' }),
  })
  .meta({ id: 'CoderExternalAuthLink', description: 'A linked account.' });

const ExternalAuthLinkProvider = z
  .object({
    id: z.string(),
    type: z.string(),
    device: z.boolean(),
    display_name: z.string(),
    display_icon: z.string(),
    allow_refresh: z.boolean(),
    allow_validate: z.boolean(),
    supports_revocation: z.boolean(),
    code_challenge_methods_supported: z.array(z.string()),
  })
  .meta({ id: 'CoderExternalAuthLinkProvider', description: 'A configured provider.' });

export const ExternalAuthList = ExternalAuthLink.extend({
  links: z.array(ExternalAuthLink).meta({ description: 'All your links, the last updated first.' }),
  providers: z
    .array(ExternalAuthLinkProvider)
    .meta({ description: 'All providers, in their configured order.' }),
}).meta({
  id: 'CoderExternalAuthList',
  description:
    'All links and providers, as clients read them; beside them, as the documentation shows it, the link that was updated last. Without any link its fields are false, empty, and the zero time.',
});

export const ExternalAuthDevice = z
  .object({
    device_code: z.string(),
    user_code: z.string().meta({ description: 'What the user enters at `verification_uri`.' }),
    verification_uri: z.string(),
    expires_in: z.int().meta({ description: 'Seconds.' }),
    interval: z.int().meta({ description: 'Seconds between two polls.' }),
  })
  .meta({ id: 'CoderExternalAuthDevice', description: 'A device authorization under way (RFC 8628).' });

export const ExternalAuthDeletion = z
  .object({
    token_revoked: z.boolean().meta({ description: 'Whether the provider revoked the token.' }),
    token_revocation_error: z.string().optional().meta({ description: 'Why it did not.' }),
  })
  .meta({ id: 'CoderExternalAuthDeletion', description: 'What became of the deleted link.' });

/** Longer than the codes of all known providers, some of which are signed tokens. */
const DEVICE_CODE_MAX = 4_096;
const deviceCodeRule = `Must be the device_code as it was received: 1 to ${DEVICE_CODE_MAX} printable ASCII characters.`;

export const ExternalAuthDeviceExchange = z
  .object(
    {
      device_code: z
        .string(deviceCodeRule)
        .max(DEVICE_CODE_MAX, deviceCodeRule)
        .regex(/^[\x20-\x7e]+$/, deviceCodeRule),
    },
    'Must be a JSON object with a device_code, or no body at all.',
  )
  .meta({ id: 'CoderExternalAuthDeviceExchange', description: 'Which device authorization to go on with.' });

export const MachineToken = z
  .object({
    url: z.string().meta({
      description: 'Where a person links the account, when it is not linked or no longer works; else empty.',
    }),
    access_token: z.string().optional(),
    token_extra: z.record(z.string(), z.unknown()).optional().meta({
      description: "The fields of the provider's token response that its configuration names.",
    }),
    type: z.string().optional().meta({ description: "The provider's type." }),
    username: z.string().optional().meta({ description: 'What git sends as the user name.' }),
    password: z.string().optional().meta({ description: 'What git sends as the password.' }),
  })
  .meta({
    id: 'CoderMachineToken',
    description:
      'A token for a machine. Only `url` when there is none to give: the other fields come together.',
  });

/** Where the dialect lives. The paths below follow it. */
export const BASE_PATH = '/api/v2';

const jsonOf = (schema: z.ZodType, description: string) => ({
  description,
  content: { 'application/json': { schema } },
});
const problems = {
  401: {
    ...jsonOf(Problem, 'No token, or one that is unknown, expired or revoked.'),
    headers: { 'WWW-Authenticate': { schema: { type: 'string' as const }, description: '`Bearer`' } },
  },
  403: jsonOf(Problem, 'The token lacks a scope.'),
};
const unknownProvider = jsonOf(Problem, 'No such provider.');
const providerFailed = jsonOf(Problem, 'The provider cannot be reached, or its answer makes no sense.');
const byProvider = {
  params: z.object({
    externalauth: z.string().meta({ description: "The provider's id.", example: 'github' }),
  }),
};
const security: Record<string, string[]>[] = [
  { coderSessionToken: [] },
  { bearer: [] },
  { coderSessionCookie: [] },
];
const common = { tags: ["External auth (Coder's dialect)"], security };

/** Every request of the dialect. The server routes by this list, and the OpenAPI document is made of it. */
export const routes = {
  list: createRoute({
    ...common,
    method: 'get',
    path: '/external-auth',
    operationId: 'coderListExternalAuth',
    summary: 'All your links, and all providers',
    responses: { 200: jsonOf(ExternalAuthList, 'Your links.'), ...problems },
  }),
  read: createRoute({
    ...common,
    method: 'get',
    path: '/external-auth/{externalauth}',
    operationId: 'coderReadExternalAuth',
    summary: 'A provider, and your account there',
    request: byProvider,
    responses: {
      200: jsonOf(ExternalAuth, 'The provider, linked or not.'),
      ...problems,
      404: unknownProvider,
      502: providerFailed,
    },
  }),
  remove: createRoute({
    ...common,
    method: 'delete',
    path: '/external-auth/{externalauth}',
    operationId: 'coderDeleteExternalAuth',
    summary: 'Unlinks your account, and revokes its token at the provider',
    request: byProvider,
    responses: {
      200: jsonOf(ExternalAuthDeletion, 'The link is gone, whatever became of the token.'),
      ...problems,
      404: jsonOf(Problem, 'You have no such link.'),
    },
  }),
  startDevice: createRoute({
    ...common,
    method: 'get',
    path: '/external-auth/{externalauth}/device',
    operationId: 'coderStartExternalAuthDevice',
    summary: 'Begins to link an account by a code (RFC 8628)',
    request: byProvider,
    responses: {
      200: jsonOf(ExternalAuthDevice, 'What to show the user, and how often to ask.'),
      ...problems,
      400: jsonOf(Problem, 'The provider has no device flow.'),
      404: unknownProvider,
      502: providerFailed,
    },
  }),
  exchangeDevice: createRoute({
    ...common,
    method: 'post',
    path: '/external-auth/{externalauth}/device',
    operationId: 'coderExchangeExternalAuthDevice',
    summary: 'Asks whether the user has entered the code, and links the account',
    request: {
      ...byProvider,
      body: {
        description: 'Without a body: your latest device authorization with that provider.',
        required: false,
        content: { 'application/json': { schema: ExternalAuthDeviceExchange } },
      },
    },
    responses: {
      204: { description: 'The account is linked.' },
      ...problems,
      400: jsonOf(
        Problem,
        'Not yet, or never: `detail` is `authorization_pending`, `slow_down`, `expired_token`, `access_denied` or another OAuth error code. Or the body is wrong: see `validations`.',
      ),
      404: unknownProvider,
      413: jsonOf(Problem, 'The body is too large.'),
      415: jsonOf(Problem, 'The body is not said to be JSON.'),
      502: providerFailed,
    },
  }),
  machineToken: createRoute({
    ...common,
    method: 'get',
    path: '/workspaceagents/me/external-auth',
    operationId: 'coderReadMachineToken',
    summary: "A linked account's token, for a machine that runs git",
    description:
      'Name the provider by `id`, or by `match`, a git URL that it serves. Each token that is handed out is audited.',
    request: {
      query: z.object({
        match: z.string().optional().meta({
          description: 'A git URL. Of several providers that serve it, the most specific one is taken.',
          example: 'https://github.com/acme/site.git',
        }),
        id: z.string().optional().meta({ description: "The provider's id.", example: 'github' }),
      }),
    },
    responses: {
      200: jsonOf(MachineToken, 'The token; or only where to link, when there is none that works.'),
      ...problems,
      400: jsonOf(Problem, 'Neither `match` nor `id`, or both.'),
      404: jsonOf(Problem, 'No provider has the id, or serves the URL.'),
      502: providerFailed,
    },
  }),
};

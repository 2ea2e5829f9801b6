import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { parseInstant } from '../../graphql/date-time.ts';
import { isUuid } from '../../graphql/global-id.ts';

/**
 * The bodies of GitFlic's dialect. They check names, presence and types; what a value may be (lengths, URLs, keys)
 * is decided behind the GraphQL operations. Fields that the documentation does not name are ignored.
 */

export const Problem = z
  .object({
    timestamp: z.string().meta({ description: 'When it happened.', example: '2030-10-10T10:10:10Z' }),
    status: z.int().meta({ description: 'The HTTP status again.' }),
    error: z.string().meta({
      description: "The status's name; `AuthenticationException` when the token is missing or not valid.",
    }),
    title: z.string().meta({
      description: 'Permanent and dotted, for programs: `error.notFound`, `error.invalidInput` …',
    }),
    message: z.string().meta({ description: 'For people.' }),
    path: z.string().meta({ description: 'The path of the request.' }),
    violations: z
      .array(
        z.object({
          field: z.string().meta({
            description: 'The field, query parameter or path variable; `body` for the body as a whole.',
          }),
          message: z.string().meta({ description: 'What is wrong, and what is accepted.' }),
        }),
      )
      .meta({ description: 'Every fault of the input; empty when the failure is of another kind.' }),
  })
  .meta({ id: 'GitflicProblem', description: 'Every error of this dialect.' });

export const Me = z
  .object({
    id: z.string().meta({ format: 'uuid' }),
    username: z.string(),
    name: z.string().meta({
      description: 'The first word of the full name; the username when no name is known.',
    }),
    surname: z.string().meta({ description: 'The rest of the full name; may be empty.' }),
    email: z.string().meta({ description: 'Empty when no address is known.' }),
    fullName: z.string().meta({ description: 'The username when no name is known.' }),
    avatar: z.null().meta({ description: 'Gatehouse keeps no pictures.' }),
    cover: z.null().meta({ description: 'Gatehouse keeps no pictures.' }),
  })
  .meta({ id: 'GitflicUser', description: 'The account that the token belongs to.' });

/** A text that must be there, with one message for its absence and one for another type. */
function requiredText(field: string) {
  return z.string({
    error: ({ input }) => (input === undefined ? `${field} is missing.` : `${field} takes a string.`),
  });
}

/** A date, or one of the three ways in which clients say "never". */
const expiry = z
  .string('expiresAt takes a string or null.')
  .nullish()
  .transform((text, context) => {
    if (!text) return null;
    const date = parseInstant(text);
    if (date) return date.toISOString();
    context.addIssue(
      'expiresAt takes a date such as 2030-10-10T10:10:10Z, 2030-10-10T13:10:10+03:00, 2030-10-10T10:10:10 or 2030-10-10.',
    );
    return z.NEVER;
  })
  .meta({
    type: ['string', 'null'],
    description:
      'When the key ends: an instant, a time with an offset, a time without a zone (UTC), or a date (its first moment in UTC). Empty, null or absent: never.',
    example: '2030-10-10T10:10:10Z',
  });

const JSON_OBJECT = 'The body takes a JSON object.';

export const NewSshKey = z
  .object(
    {
      publicKey: requiredText('publicKey').meta({
        description: "A public key in OpenSSH's format, in one line.",
        example:
          'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAII2dttUxyIWhATnoqZC1Ra5qFr6bCRqANZdP6dKkn1Zp ada@example.com',
      }),
      title: requiredText('title').meta({ description: 'What you call it.' }),
      expiresAt: expiry,
    },
    JSON_OBJECT,
  )
  .meta({ id: 'GitflicNewSshKey', description: 'A key to add.' });

export const SshKey = z
  .object({
    uuid: z.string().meta({ format: 'uuid' }),
    publicKey: z.string().meta({ description: 'In one line, with its comment.' }),
    title: z.string(),
    expiresAt: z.string().nullable().meta({
      description: '`YYYY-MM-DDTHH:MM:SSZ`; null when it never ends.',
      example: '2030-10-10T10:10:10Z',
    }),
    userUuid: z.string().meta({ format: 'uuid', description: 'Whose key it is.' }),
  })
  .meta({ id: 'GitflicSshKey', description: 'A key of your account.' });

export const OAuthAppInput = z
  .object(
    {
      name: requiredText('name').meta({ description: 'What users are shown.' }),
      description: z
        .string('description takes a string or null.')
        .nullish()
        .transform((text) => text ?? '')
        .meta({ type: ['string', 'null'], description: 'Null or absent: empty.' }),
      homepageUrl: requiredText('homepageUrl').meta({
        description: 'Where users learn about the app.',
        example: 'https://example.com',
      }),
      authCallbackUrl: requiredText('authCallbackUrl').meta({
        description: 'Where users are sent with the answer: the first redirect URI.',
        example: 'https://example.com/callback',
      }),
      standalone: z
        .boolean('standalone takes true, false or null.')
        .nullish()
        .transform((value) => value ?? false)
        .meta({
          type: ['boolean', 'null'],
          description: 'Whether the app has no server part that could keep a secret. Null or absent: false.',
        }),
    },
    JSON_OBJECT,
  )
  .meta({ id: 'GitflicOAuthAppInput', description: 'All that an owner decides about an app.' });

export const OAuthApp = z
  .object({
    id: z.string().meta({ format: 'uuid' }),
    name: z.string(),
    description: z.string().meta({ description: 'May be empty.' }),
    clientId: z.string().meta({ format: 'uuid', description: 'Public.' }),
    clientSecret: z.string().meta({
      description:
        'Empty when the operator has turned the reading of secrets off: then only the creation shows it.',
    }),
    homepageUrl: z.string(),
    authCallbackUrl: z.string().meta({
      description: 'The first redirect URI. An app that was made over GraphQL may have more.',
    }),
    standalone: z.boolean(),
  })
  .meta({ id: 'GitflicOAuthApp', description: 'An OAuth app of your account.' });

export const OAuthAppPage = z
  .object({
    _embedded: z.object({
      oauthModelList: z
        .array(OAuthApp)
        .meta({ description: 'Newest first. Always there; empty behind the last page.' }),
    }),
    page: z.object({
      size: z.int().meta({ description: 'As asked for.' }),
      totalElements: z.int().meta({ description: 'On all pages.' }),
      totalPages: z.int(),
      number: z.int().meta({ description: 'As asked for.' }),
    }),
  })
  .meta({ id: 'GitflicOAuthAppPage', description: 'A page of your OAuth apps.' });

const Deleted = z.object({}).meta({
  id: 'GitflicDeleted',
  description: 'Empty: there is no more to say, but clients fail on no body.',
});

export const OAuthAppId = z.object({
  id: z
    .string()
    .refine(isUuid, 'id takes a UUID such as 7f8933c7-2c4e-4b1a-9a55-dbc99a7cd104.')
    .meta({ format: 'uuid', description: 'The id of the app, from the answer to another request.' }),
});

/** What GraphQL's Int holds: an offset must fit. */
const MAX_OFFSET = 2 ** 31 - 1;

/** @param maxSize the longest page that the operator allows */
function paging(maxSize: number) {
  return z
    .object({
      page: wholeNumber('page', 0, MAX_OFFSET, 0).meta({ description: 'From 0.' }),
      size: wholeNumber('size', 1, maxSize, 10).meta({ description: 'How many apps make a page.' }),
    })
    .refine(({ page, size }) => page * size <= MAX_OFFSET, {
      path: ['page'],
      error: `page times size must not exceed ${MAX_OFFSET}.`,
    });
}

function wholeNumber(name: string, min: number, max: number, standard: number) {
  return z
    .string()
    .refine((text) => /^\d{1,10}$/.test(text) && Number(text) >= min && Number(text) <= max, {
      error: `${name} takes a whole number from ${min} to ${max}.`,
      abort: true,
    })
    .default(String(standard))
    .transform(Number)
    .meta({ type: 'integer', minimum: min, maximum: max, default: standard });
}

const jsonOf = (schema: z.ZodType, description: string) => ({
  description,
  content: { 'application/json': { schema } },
});
const bodyOf = (schema: z.ZodType) => ({
  required: true,
  content: { 'application/json': { schema } },
});
const always = {
  403: jsonOf(
    Problem,
    'The token is missing, unknown, expired or revoked (`error` is `AuthenticationException`), or lacks the scope.',
  ),
  500: jsonOf(Problem, 'A fault of ours; the log has it under the id of the request.'),
  503: jsonOf(Problem, 'The database cannot be reached. Try again.'),
  504: jsonOf(Problem, 'It took too long.'),
};
const unreadable = {
  413: jsonOf(Problem, 'The body is too large.'),
  415: jsonOf(Problem, 'The body is not said to be JSON.'),
};
const noSuchApp = jsonOf(Problem, 'You have no such app.');
const security: Record<string, string[]>[] = [{ gitflicToken: [] }, { bearer: [] }];
const common = { tags: ["Settings (GitFlic's dialect)"], security };

/**
 * Every request of the dialect. The server routes by this list, and the OpenAPI document is made of it.
 *
 * @param maxPageSize the longest page that the operator allows
 */
export function gitflicRoutes(maxPageSize: number) {
  return {
    readMe: createRoute({
      ...common,
      method: 'get',
      path: '/user/me',
      operationId: 'gitflicReadMe',
      summary: 'Whose token it is',
      description: 'What clients ask first. Needs the scope `user:read`.',
      responses: { 200: jsonOf(Me, 'You.'), ...always },
    }),
    addSshKey: createRoute({
      ...common,
      method: 'post',
      path: '/user/settings/add-ssh-key',
      operationId: 'gitflicAddSshKey',
      summary: 'Adds an SSH key',
      description: 'Needs the scope `ssh_keys:write`.',
      request: { body: bodyOf(NewSshKey) },
      responses: {
        200: jsonOf(SshKey, 'The key is added.'),
        ...always,
        ...unreadable,
        422: jsonOf(Problem, 'The key is in use already, on whatever account, or the input is wrong.'),
      },
    }),
    listOAuthApps: createRoute({
      ...common,
      method: 'get',
      path: '/user/settings/oauth',
      operationId: 'gitflicListOAuthApps',
      summary: 'Your OAuth apps, by pages',
      description: 'Newest first. Needs the scope `oauth_apps:read`.',
      request: { query: paging(maxPageSize) },
      responses: {
        200: jsonOf(OAuthAppPage, 'The page; its list is empty behind the last one.'),
        ...always,
        422: jsonOf(Problem, '`page` or `size` is wrong.'),
      },
    }),
    readOAuthApp: createRoute({
      ...common,
      method: 'get',
      path: '/user/settings/oauth/{id}',
      operationId: 'gitflicReadOAuthApp',
      summary: 'One of your OAuth apps',
      description: 'Needs the scope `oauth_apps:read`.',
      request: { params: OAuthAppId },
      responses: {
        200: jsonOf(OAuthApp, 'The app.'),
        ...always,
        404: noSuchApp,
        422: jsonOf(Problem, '`id` is not a UUID.'),
      },
    }),
    createOAuthApp: createRoute({
      ...common,
      method: 'post',
      path: '/user/settings/oauth',
      operationId: 'gitflicCreateOAuthApp',
      summary: 'Creates an OAuth app',
      description: 'Needs the scope `oauth_apps:write`.',
      request: { body: bodyOf(OAuthAppInput) },
      responses: {
        200: jsonOf(OAuthApp, 'The app is created.'),
        ...always,
        ...unreadable,
        422: jsonOf(Problem, 'The input is wrong.'),
      },
    }),
    replaceOAuthApp: createRoute({
      ...common,
      method: 'put',
      path: '/user/settings/oauth/{id}',
      operationId: 'gitflicReplaceOAuthApp',
      summary: 'Replaces what you decided about an OAuth app',
      description:
        'All fields at once: what is absent becomes empty or false. The client id and the secret stay, and so do redirect URIs behind the first. Needs the scope `oauth_apps:write`.',
      request: { params: OAuthAppId, body: bodyOf(OAuthAppInput) },
      responses: {
        200: jsonOf(OAuthApp, 'The app as it is now.'),
        ...always,
        404: noSuchApp,
        ...unreadable,
        422: jsonOf(Problem, '`id` is not a UUID, or the input is wrong.'),
      },
    }),
    deleteOAuthApp: createRoute({
      ...common,
      method: 'delete',
      path: '/user/settings/oauth/{id}',
      operationId: 'gitflicDeleteOAuthApp',
      summary: 'Deletes an OAuth app',
      description: 'Its secrets stop working at once. Needs the scope `oauth_apps:write`.',
      request: { params: OAuthAppId },
      responses: {
        200: jsonOf(Deleted, 'The app is gone.'),
        ...always,
        404: noSuchApp,
        422: jsonOf(Problem, '`id` is not a UUID.'),
      },
    }),
  };
}

import { z } from 'zod';

const text = (max: number) =>
  z
    .string('takes text')
    .trim()
    .max(max, `takes at most ${max} characters`)
    .refine((value) => value.isWellFormed() && !/\p{Cc}/u.test(value), 'must not contain control characters');

/** http is taken too: there are networks without certificates. The address must not carry a password of its own. */
const url = text(2_048)
  .refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), {
    message: 'takes a URL that begins with https:// or http://',
    abort: true,
  })
  .refine(
    (value) => new URL(value).username === '' && new URL(value).password === '',
    'must not carry a user name or password',
  )
  .refine((value) => !value.includes('#'), 'must not carry a fragment (#…)');

const baseUrl = url
  .refine((value) => !value.includes('?'), 'must not carry a query (?…)')
  .transform((value) => value.replace(/\/+$/, ''));

/** As Go's strconv.ParseBool reads them, which Coder uses. */
const flag = z.union(
  [
    z.boolean(),
    z.enum(['1', 't', 'T', 'true', 'TRUE', 'True']).transform(() => true),
    z.enum(['0', 'f', 'F', 'false', 'FALSE', 'False']).transform(() => false),
  ],
  'takes true or false',
);

const list = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(/\s+/).filter((word) => word !== '') : value),
  z
    .array(
      text(256).regex(/^\S+$/, 'takes words without spaces in them'),
      'takes words separated by spaces, or a list of them',
    )
    .max(100, 'takes at most 100 words'),
);

/** What may be set for a provider, by the environment's names. Messages follow the setting's name. */
export const providerSchema = z.strictObject({
  ID: text(32)
    .regex(
      /^[a-zA-Z0-9]+(?:-[a-zA-Z0-9]+)*$/,
      'takes 1 to 32 letters and digits, with single hyphens between them',
    )
    .optional(),
  TYPE: text(64).optional(),
  CLIENT_ID: text(512).min(1).optional(),
  CLIENT_SECRET: z.string('takes text').max(4_096, 'takes at most 4096 characters').default(''),
  TOKEN_AUTH_METHOD: z
    .enum(
      ['client_secret_basic', 'client_secret_post', 'auto'],
      'takes client_secret_basic, client_secret_post or auto',
    )
    .optional(),
  ISSUER: url.refine((value) => !value.includes('?'), 'must not carry a query (?…)').optional(),
  AUTH_URL: url.optional(),
  TOKEN_URL: url.optional(),
  DEVICE_CODE_URL: url.optional(),
  VALIDATE_URL: url.optional(),
  REVOKE_URL: url.optional(),
  USERINFO_URL: url.optional(),
  API_BASE_URL: baseUrl.optional(),
  SCOPES: list.optional(),
  AUTH_PARAMS: list
    .refine(
      (words) => words.every((word) => /^[^=]+=/.test(word)),
      'takes parameters such as prompt=consent, separated by spaces',
    )
    .default([]),
  EXTRA_TOKEN_KEYS: list.optional(),
  DEVICE_FLOW: flag.default(false),
  NO_REFRESH: flag.default(false),
  PKCE_METHODS: list
    .refine(
      (methods) => methods.every((method) => method === 'S256' || method === 'none') && methods.length <= 1,
      'takes S256, or none to go without PKCE (plain protects nobody)',
    )
    .optional(),
  REGEX: text(1_024).optional(),
  DISPLAY_NAME: text(128).optional(),
  DISPLAY_ICON: text(8_192)
    .refine(
      (value) => /^\/(?!\/)|^https?:\/\/|^data:image\//.test(value),
      'takes a URL, a path on this site that begins with /, or a data:image URL',
    )
    .optional(),
  APP_INSTALL_URL: url.optional(),
  APP_INSTALLATIONS_URL: url.optional(),
});

/** Their names. */
export const providerSettingNames = Object.keys(providerSchema.shape);

export type WrittenSettings = z.infer<typeof providerSchema>;

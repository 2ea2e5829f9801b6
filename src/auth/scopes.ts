/** What a token may do. Each scope's meaning, as the API and the documentation show it. */
export const scopeDescriptions = {
  'user:read': 'Read the profile.',
  'external_auth:read': 'Read linked accounts and their state.',
  'external_auth:write': 'Link and unlink accounts. Includes external_auth:read.',
  'external_auth:token': "Receive a linked account's access token, as a machine that runs git does.",
  'ssh_keys:read': 'Read SSH keys.',
  'ssh_keys:write': 'Add, change and delete SSH keys. Includes ssh_keys:read.',
  'oauth_apps:read': 'Read OAuth apps, their secrets included.',
  'oauth_apps:write': 'Create, change and delete OAuth apps. Includes oauth_apps:read.',
  'tokens:write': 'Read, create and revoke API tokens.',
  admin: 'Everything, for the own account.',
} as const;

export type Scope = keyof typeof scopeDescriptions;

export const allScopes = Object.keys(scopeDescriptions) as [Scope, ...Scope[]];

export function isScope(text: string): text is Scope {
  return Object.hasOwn(scopeDescriptions, text);
}

/** Whether scopes grant another one: itself, `write` for `read`, or `admin` for all. */
export function grants(held: ReadonlySet<Scope>, wanted: Scope): boolean {
  if (held.has('admin') || held.has(wanted)) return true;
  return wanted.endsWith(':read') && held.has(wanted.replace(/read$/, 'write') as Scope);
}

/** A column that holds what the keyring encrypted. */
export interface EncryptedColumn {
  table: string;
  column: string;
  /** A condition in SQL under which somebody is about to replace the value. */
  busy?: string;
}

/** All of them: what `gatehouse keys` goes through. A test compares the list with prisma/schema.prisma. */
export const encryptedColumns: EncryptedColumn[] = [
  // A renewal under way is about to write new tokens: to rewrite the old ones would only make it try again.
  ...['access_token', 'refresh_token', 'token_extra'].map((column) => ({
    table: 'external_auth_links',
    column,
    busy: 'refresh_lease_until > now()',
  })),
  { table: 'external_auth_revocations', column: 'access_token' },
  { table: 'external_auth_revocations', column: 'refresh_token' },
  { table: 'external_auth_flows', column: 'code_verifier' },
  { table: 'device_authorizations', column: 'device_code' },
  { table: 'oauth_app_secrets', column: 'secret' },
];

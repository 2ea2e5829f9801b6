import { randomUUID } from 'node:crypto';
import { newPublicKey } from '../new-public-key.ts';
import { textOf, type World } from './world.ts';

/** What an argument that takes text stands for. */
export type Meaning =
  /** It names nothing that anybody owns. */
  | 'text'
  /** A place in a list. */
  | 'cursor'
  /** The global id of any type. */
  | 'node'
  /** The name of something that its owner has; and how one looks that nobody has. */
  | { of: (owner: World) => string; absent: string };

/** The global id of a row of a type. */
const idOf = (typename: string): Meaning => ({
  of: (owner) => textOf(owner, typename, 'id'),
  absent: globalId(typename),
});

/** A provider that its owner alone has linked an account with. */
const linkedProvider: Meaning = {
  of: (owner) => textOf(owner, 'ExternalAuthLink', 'providerId'),
  absent: 'nobody-has-linked-this',
};

/**
 * The meaning of each argument and input field of the types ID, UUID and String. The tests of isolation and of bad
 * input walk the schema, and fail on an argument that is not here.
 */
export const MEANINGS: Record<string, Meaning> = {
  // Everybody's.
  'Query.externalAuthProvider(id:)': 'text',
  'Query.externalAuthToken(id:)': 'text',
  'Query.externalAuthToken(match:)': 'text',
  'Query.node(id:)': 'node',
  'Query.nodes(ids:)': 'node',
  'User.apiTokens(after:)': 'cursor',
  'User.apiTokens(before:)': 'cursor',
  'User.externalAuthLink(providerId:)': linkedProvider,
  'User.oauthApp(id:)': { of: (owner) => textOf(owner, 'OAuthApp', 'uuid'), absent: randomUUID() },
  'User.oauthApps(after:)': 'cursor',
  'User.oauthApps(before:)': 'cursor',
  'User.sshKey(fingerprint:)': {
    of: (owner) => textOf(owner, 'SshKey', 'fingerprint'),
    absent: `SHA256:${'A'.repeat(43)}`,
  },
  'User.sshKeys(after:)': 'cursor',
  'User.sshKeys(before:)': 'cursor',
  'AddSshKeyInput.publicKey': 'text',
  'AddSshKeyInput.title': 'text',
  'CreateApiTokenInput.name': 'text',
  'CreateOAuthAppInput.description': 'text',
  'CreateOAuthAppInput.homepageUrl': 'text',
  'CreateOAuthAppInput.name': 'text',
  'CreateOAuthAppInput.redirectUris': 'text',
  'DeleteOAuthAppInput.id': idOf('OAuthApp'),
  'DeleteSshKeyInput.id': idOf('SshKey'),
  // Everybody's, and a code's owner is told by test/external-auth/device-flow.test.ts.
  'ExchangeExternalAuthDeviceInput.deviceCode': 'text',
  'ExchangeExternalAuthDeviceInput.providerId': 'text',
  'RevokeApiTokenInput.id': idOf('ApiToken'),
  'RevokeOAuthAppSecretInput.id': idOf('OAuthAppSecret'),
  'RotateOAuthAppSecretInput.id': idOf('OAuthApp'),
  'StartExternalAuthDeviceInput.providerId': 'text',
  'StartExternalAuthInput.providerId': 'text',
  'StartExternalAuthInput.redirectTo': 'text',
  'UpdateOAuthAppInput.description': 'text',
  'UpdateOAuthAppInput.firstRedirectUri': 'text',
  'UpdateOAuthAppInput.homepageUrl': 'text',
  'UpdateOAuthAppInput.id': idOf('OAuthApp'),
  'UpdateOAuthAppInput.name': 'text',
  'UpdateOAuthAppInput.redirectUris': 'text',
  'RefreshExternalAuthLinkInput.providerId': linkedProvider,
  'UnlinkExternalAuthInput.providerId': linkedProvider,
  'UpdateSshKeyInput.id': idOf('SshKey'),
  'UpdateSshKeyInput.title': 'text',
};

/** An input that each mutation accepts. Where it names a row, it names the owner's. */
export const VALID_INPUTS: Record<string, (owner: World) => Record<string, unknown>> = {
  addSshKey: () => ({ publicKey: newPublicKey(), title: 'laptop' }),
  createApiToken: () => ({ name: 'laptop', scopes: ['USER_READ'] }),
  createOAuthApp: () => ({
    name: 'robot',
    homepageUrl: 'https://example.com',
    redirectUris: ['https://example.com/callback'],
  }),
  deleteOAuthApp: (owner) => ({ id: textOf(owner, 'OAuthApp', 'id') }),
  deleteSshKey: (owner) => ({ id: textOf(owner, 'SshKey', 'id') }),
  exchangeExternalAuthDevice: () => ({ providerId: 'github', deviceCode: 'of nobody' }),
  refreshExternalAuthLink: (owner) => ({ providerId: textOf(owner, 'ExternalAuthLink', 'providerId') }),
  unlinkExternalAuth: (owner) => ({ providerId: textOf(owner, 'ExternalAuthLink', 'providerId') }),
  revokeApiToken: (owner) => ({ id: textOf(owner, 'ApiToken', 'id') }),
  revokeOAuthAppSecret: (owner) => ({ id: textOf(owner, 'OAuthAppSecret', 'id') }),
  rotateOAuthAppSecret: (owner) => ({ id: textOf(owner, 'OAuthApp', 'id') }),
  startExternalAuth: () => ({ providerId: 'github' }),
  startExternalAuthDevice: () => ({ providerId: 'github' }),
  updateOAuthApp: (owner) => ({ id: textOf(owner, 'OAuthApp', 'id'), name: 'renamed' }),
  updateSshKey: (owner) => ({ id: textOf(owner, 'SshKey', 'id'), title: 'renamed' }),
};

/** A global id of a row that does not exist. */
export function globalId(typename: string, uuid: string = randomUUID()): string {
  return Buffer.from(`${typename}:${uuid}`).toString('base64');
}

import { randomUUID } from 'node:crypto';
import type { Database } from '../../../src/db/client.ts';
import type { OAuthApp, SshKey } from '../../../src/generated/prisma/client.ts';
import { sha256 } from '../../../src/secrets/hash.ts';
import type { Keyring } from '../../../src/secrets/keyring.ts';
import { mintSecret, visiblePrefix } from '../../../src/secrets/mint.ts';
import { formatFingerprint } from '../../../src/ssh-keys/fingerprint.ts';
import { parsePublicKey } from '../../../src/ssh-keys/public-key.ts';
import { uuidv7 } from './ids.ts';
import type { Viewer } from './viewer.ts';

export interface AddSshKeyInput {
  publicKey: string;
  title: string;
  expiresAt?: Date | null;
  usage?: 'AUTH' | 'SIGNING' | 'AUTH_AND_SIGNING' | null;
}

export interface CreateOAuthAppInput {
  name: string;
  description?: string | null;
  homepageUrl: string;
  redirectUris: string[];
  standalone?: boolean | null;
}

/** Thrown for input that Gatehouse would refuse. The benchmark sends none. */
export class InvalidInput extends Error {
  readonly code = 'INVALID_INPUT';
}

/** The same work as Gatehouse's: parse, store, and record in one transaction. */
export async function addSshKey(db: Database, viewer: Viewer, input: AddSshKeyInput): Promise<SshKey> {
  const { line: publicKey, type, comment, bits, blobHash } = parsePublicKey(input.publicKey);
  const title = checkLine(input.title);
  const { expiresAt = null, usage } = input;
  return db.$transaction(async (tx) => {
    const data = { userId: viewer.user.id, title, type, publicKey, comment, bits, blobHash, expiresAt };
    const sshKey = await tx.sshKey.create({ data: { ...data, usage: usage ?? undefined } });
    await tx.auditEvent.create({
      data: {
        userId: viewer.user.id,
        tokenId: viewer.tokenId,
        requestId: randomUUID(),
        action: 'ssh_key.add',
        targetType: 'ssh_key',
        targetId: sshKey.id,
        details: sshKeyDetails({ ...sshKey, fingerprint: formatFingerprint(blobHash) }),
      },
    });
    return sshKey;
  });
}

export function sshKeyDetails(key: {
  title: string;
  type: string;
  fingerprint: string;
  usage: string;
  expiresAt: Date | null;
}) {
  const { title, type, fingerprint, usage, expiresAt } = key;
  return { title, type, fingerprint, usage, expiresAt: expiresAt?.toISOString() ?? null };
}

export async function createOAuthApp(
  db: Database,
  keyring: Keyring,
  viewer: Viewer,
  input: CreateOAuthAppInput,
): Promise<{ oauthApp: OAuthApp; clientSecret: string }> {
  const app = checkApp(input);
  const minted = mintClientSecret(keyring);
  const { id, secret, secretHash, prefix } = minted;
  const oauthApp = await db.$transaction(async (tx) => {
    const created = await tx.oAuthApp.create({
      data: { ...app, userId: viewer.user.id, secrets: { create: { id, secret, secretHash, prefix } } },
    });
    await tx.auditEvent.create({
      data: {
        userId: viewer.user.id,
        tokenId: viewer.tokenId,
        requestId: randomUUID(),
        action: 'oauth_app.create',
        targetType: 'oauth_app',
        targetId: created.id,
        details: appDetails(app, created.clientId, prefix),
      },
    });
    return created;
  });
  return { oauthApp, clientSecret: minted.clientSecret };
}

export function appDetails(app: ReturnType<typeof checkApp>, clientId: string, secretPrefix: string) {
  return { ...app, clientId, secret: secretPrefix };
}

/** What Gatehouse checks, at its shortest: a peer is not measured by its validation. */
export function checkApp(input: CreateOAuthAppInput) {
  const { name, description, homepageUrl, redirectUris, standalone } = input;
  if (![homepageUrl, ...redirectUris].every((url) => URL.canParse(url)))
    throw new InvalidInput('A URL is malformed.');
  return {
    name: checkLine(name),
    description: description ?? '',
    homepageUrl,
    redirectUris,
    standalone: standalone ?? false,
  };
}

export function checkLine(text: string): string {
  const line = text.trim();
  if (line === '' || line.length > 255) throw new InvalidInput('The text takes 1 to 255 characters.');
  return line;
}

export function mintClientSecret(keyring: Keyring) {
  const clientSecret = mintSecret('gts_');
  const id = uuidv7();
  const secret = keyring.encrypt(clientSecret, { table: 'oauth_app_secrets', column: 'secret', row: id });
  return { id, clientSecret, secret, secretHash: sha256(clientSecret), prefix: visiblePrefix(clientSecret) };
}

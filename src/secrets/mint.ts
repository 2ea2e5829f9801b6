import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/**
 * Kinds of secrets that we issue, by prefix: a scanner that finds one in public knows whose it is.
 * `gth_` API token, `gts_` client secret of an OAuth app.
 */
export type SecretPrefix = 'gth_' | 'gts_';

const CHECKSUM_LENGTH = 6;
/** 32 bytes in base64url. */
const BODY_LENGTH = 43;

/** A new secret: prefix, 256 random bits in base64url, and a checksum over both. */
export function mintSecret(prefix: SecretPrefix): string {
  const body = `${prefix}${randomBytes(32).toString('base64url')}`;
  return body + checksum(body);
}

/** False for a secret with a typo: it need not be looked up. */
export function hasValidChecksum(secret: string): boolean {
  const body = secret.slice(0, -CHECKSUM_LENGTH);
  return (
    secret.length === 4 + BODY_LENGTH + CHECKSUM_LENGTH && checksum(body) === secret.slice(-CHECKSUM_LENGTH)
  );
}

/** The part of a secret that is shown to its owner to tell it from others. */
export function visiblePrefix(secret: string): string {
  return secret.slice(0, 8);
}

function checksum(body: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return bytes.toString('base64url');
}

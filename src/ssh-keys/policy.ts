import type { Config } from '../config.ts';
import type { PublicKey } from './public-key.ts';

/** What the operator asks of keys, beyond being keys. */
type Policy = Config['sshKeys'];

const DAY_MS = 24 * 60 * 60 * 1_000;

/** @returns what is wrong with a key, and what is accepted; null when nothing is */
export function faultOfKey({ type, bits }: PublicKey, { rsaMinBits }: Policy): string | null {
  if (type !== 'ssh-rsa' || bits >= rsaMinBits) return null;
  return `RSA keys need at least ${rsaMinBits} bits, and this one has ${bits}. Better make an Ed25519 key: ssh-keygen -t ed25519`;
}

/**
 * @param expiresAt null for never
 * @returns what is wrong with the end of a key, and what is accepted; null when nothing is
 */
export function faultOfExpiry(expiresAt: Date | null, { maxLifetimeDays }: Policy, now: Date): string | null {
  if (expiresAt && expiresAt <= now) return 'Expiry must be in the future.';
  if (maxLifetimeDays === null) return null;
  const latest = now.getTime() + maxLifetimeDays * DAY_MS;
  if (expiresAt && expiresAt.getTime() <= latest) return null;
  const words = expiresAt ? 'Expiry is too far away' : 'A key without expiry is not accepted here';
  return `${words}: it must be within ${maxLifetimeDays} days from now.`;
}

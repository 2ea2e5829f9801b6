import { keyLine, newEd25519Point, wireString } from './ssh-wire.ts';

/** A public key that nobody has, in OpenSSH's format. */
export function newPublicKey(comment = 'ada@example.com'): string {
  return keyLine('ssh-ed25519', [wireString(newEd25519Point())], comment);
}

import { generateKeyPairSync } from 'node:crypto';

/** A public key that nobody has, in OpenSSH's format. */
export function newPublicKey(comment = 'ada@example.com'): string {
  const { x } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
  const blob = Buffer.concat([wireString('ssh-ed25519'), wireString(Buffer.from(x ?? '', 'base64url'))]);
  return `ssh-ed25519 ${blob.toString('base64')}${comment && ` ${comment}`}`;
}

/** RFC 4251 section 5: four bytes of length, then the bytes. */
function wireString(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

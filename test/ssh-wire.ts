import { generateKeyPairSync } from 'node:crypto';

/** RFC 4251 section 5: four bytes of length, then the bytes. */
export function wireString(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value as string);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** A number above 0 as RFC 4251's mpint: the shortest form, with a zero in front where the first bit is set. */
export function wireInteger(value: bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return wireString((bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

/** A line of a .pub file: the type's name, and what its blob holds behind that name. */
export function keyLine(type: string, parts: Buffer[], comment = ''): string {
  const blob = Buffer.concat([wireString(type), ...parts]);
  return `${type} ${blob.toString('base64')}${comment && ` ${comment}`}`;
}

/** A new point of Ed25519, 32 bytes. */
export function newEd25519Point(): Buffer {
  const { x = '' } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
  return Buffer.from(x, 'base64url');
}

/** A new uncompressed point of one of NIST's curves. */
export function newNistPoint(curve: 'P-256' | 'P-384' | 'P-521'): Buffer {
  const { x = '', y = '' } = generateKeyPairSync('ec', { namedCurve: curve }).publicKey.export({
    format: 'jwk',
  });
  return Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
}

/** Keys on a security token, in the form of PROTOCOL.u2f: ssh-keygen makes none without the token. */
export const securityKeyLines = {
  ed25519: (comment: string, application = 'ssh:') =>
    keyLine('sk-ssh-ed25519@openssh.com', [wireString(newEd25519Point()), wireString(application)], comment),
  ecdsa: (comment: string, application = 'ssh:') =>
    keyLine(
      'sk-ecdsa-sha2-nistp256@openssh.com',
      [wireString('nistp256'), wireString(newNistPoint('P-256')), wireString(application)],
      comment,
    ),
};

import { isPlainLine } from '../input.ts';
import { sha256 } from '../secrets/hash.ts';
import {
  bitsOfCurve,
  isOnNistCurve,
  isUsableEd25519Point,
  type NistCurveName,
  pointSizeOf,
} from './elliptic-curves.ts';
import { bitLength, MalformedWire, WireReader } from './wire-reader.ts';

export interface PublicKey {
  /** The algorithm's name on the wire. */
  type: KeyType;
  /** `TYPE BASE64`, without the comment. */
  line: string;
  /** What stands behind the key, usually user@host; may be empty. */
  comment: string;
  /** As `ssh-keygen -l` counts: of the modulus, or of the curve. */
  bits: number;
  /** SHA-256 of the blob, which is what the base64 stands for. */
  blobHash: Uint8Array<ArrayBuffer>;
}

/** The text is no public key that is accepted. The message says what it is instead, and what is accepted. */
export class InvalidPublicKey extends Error {}

/** A key of 16384 bits takes 2,800 characters. */
export const MAX_KEY_LINE = 8_192;
const MAX_COMMENT = 255;
/** OpenSSL, and so sshd, verifies nothing with a larger key. */
const MAX_RSA_BITS = 16_384;
const MAX_RSA_EXPONENT_BITS = 64;

/** Reads what follows the type's name in a key's blob, and counts the key's bits. */
type ReadKey = (wire: WireReader) => number;

const KEY_TYPES = {
  // RFC 8709 section 4
  'ssh-ed25519': readEd25519,
  // RFC 5656 section 3.1
  'ecdsa-sha2-nistp256': (wire) => readEcdsa(wire, 'nistp256'),
  'ecdsa-sha2-nistp384': (wire) => readEcdsa(wire, 'nistp384'),
  'ecdsa-sha2-nistp521': (wire) => readEcdsa(wire, 'nistp521'),
  // RFC 4253 section 6.6; RFC 8332 gave its signatures other names, and left the key's alone.
  'ssh-rsa': readRsa,
  // PROTOCOL.u2f of OpenSSH: keys on a security token
  'sk-ssh-ed25519@openssh.com': (wire) => readSecurityKey(wire, readEd25519),
  'sk-ecdsa-sha2-nistp256@openssh.com': (wire) =>
    readSecurityKey(wire, (inner) => readEcdsa(inner, 'nistp256')),
} as const satisfies Record<string, ReadKey>;

type KeyType = keyof typeof KEY_TYPES;

const ACCEPTED =
  'Send one line as it stands in a .pub file: ssh-ed25519, ecdsa-sha2-nistp256, -nistp384 or -nistp521, ssh-rsa, sk-ssh-ed25519@openssh.com or sk-ecdsa-sha2-nistp256@openssh.com, then the key in base64, then a comment if you like.';

/**
 * Parses one public key in OpenSSH's format, strictly: what ssh and sshd would read in another way, or not at all,
 * is refused, and each key has one spelling. Whether a key is long enough is left to the policy.
 *
 * @throws InvalidPublicKey with a message that quotes nothing of the text: it may hold a private key
 */
export function parsePublicKey(text: string): PublicKey {
  refusePrivateKey(text);
  if (text.length > MAX_KEY_LINE) {
    throw new InvalidPublicKey(
      `The key is too long: with its comment it takes at most ${MAX_KEY_LINE} characters.`,
    );
  }
  const line = text.trim();
  refuseOtherFormats(line);
  const [, type = '', base64 = '', comment = ''] = /^([^ \t]*)[ \t]*([^ \t]*)[ \t]*(.*)$/s.exec(line) ?? [];
  if (!isKeyType(type)) throw new InvalidPublicKey(describeUnknownType(type, line));
  if (!base64) throw new InvalidPublicKey(`The key is cut off behind its type. ${ACCEPTED}`);
  const blob = decodeBase64(base64);
  const bits = readBlob(type, blob);
  if (comment.length > MAX_COMMENT) {
    throw new InvalidPublicKey(
      `The comment behind the key is too long: at most ${MAX_COMMENT} characters. Shorten it; the key stays the same.`,
    );
  }
  if (!isPlainLine(comment)) {
    throw new InvalidPublicKey('The comment behind the key must not contain control characters.');
  }
  return { type, line: `${type} ${base64}`, comment, bits, blobHash: sha256(blob) };
}

function isKeyType(type: string): type is KeyType {
  return Object.hasOwn(KEY_TYPES, type);
}

/** Base64 of the magic bytes `openssh-key-v1`, for a private key that lost its first line. */
const OPENSSH_PRIVATE_KEY = 'b3BlbnNzaC1rZXktdjE';

function refusePrivateKey(text: string): void {
  if (
    /BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY|PuTTY-User-Key-File|Private-Lines:/.test(text) ||
    text.includes(OPENSSH_PRIVATE_KEY)
  ) {
    throw new InvalidPublicKey(
      'This is a private key, or holds one. It was not stored; but it has left your machine, so use it no more and make a new pair. Send the public half: the one line of the .pub file.',
    );
  }
}

/** What people paste in place of a line. */
function refuseOtherFormats(line: string): void {
  if (line === '') throw new InvalidPublicKey(`The key must not be empty. ${ACCEPTED}`);
  if (/^---- ?BEGIN SSH2/.test(line)) {
    throw new InvalidPublicKey(
      'This is a key in the format of SSH2 (RFC 4716). Turn it into a line of OpenSSH with: ssh-keygen -i -f FILE',
    );
  }
  if (line.startsWith('-----BEGIN')) {
    throw new InvalidPublicKey(
      'This is a key or certificate in PEM. Turn a public key into a line of OpenSSH with: ssh-keygen -i -m PKCS8 -f FILE',
    );
  }
  if (/[\r\n]/.test(line)) {
    throw new InvalidPublicKey(
      `There are several lines. Send one key at a time, and join lines that an editor has broken. ${ACCEPTED}`,
    );
  }
}

/** The words depend on what the user may have meant; the message quotes no text that is not known. */
function describeUnknownType(type: string, line: string): string {
  if (type === 'ssh-dss') {
    return 'DSA keys are not accepted: they are too weak, and OpenSSH has dropped them. Make a new pair with: ssh-keygen -t ed25519';
  }
  if (/-cert-v0[01]@openssh\.com$/.test(type)) {
    return 'This is a certificate, which is not accepted. Send the public key that it was made for: the .pub file without -cert in its name.';
  }
  if (/^rsa-sha2-(?:256|512)$/.test(type)) {
    return 'rsa-sha2-256 and rsa-sha2-512 are names of signatures; an RSA key begins with ssh-rsa.';
  }
  if (/^AAAA[A-Za-z0-9+/]/.test(type)) return `The key's type in front of the base64 is missing. ${ACCEPTED}`;
  if (/^\d+$/.test(type)) return `Keys of SSH version 1 are not accepted. ${ACCEPTED}`;
  // As in authorized_keys and known_hosts.
  if (line.split(/[ \t]+/).some(isKeyType)) {
    return `Something stands in front of the key. Options as in authorized_keys, or host names, are not accepted: begin with the key's type. ${ACCEPTED}`;
  }
  return `This is no public key of a known type. ${ACCEPTED}`;
}

function decodeBase64(base64: string): Uint8Array {
  const blob = Buffer.from(base64, 'base64');
  // Node's decoder forgives everything. Another spelling of the same key would go around a search for its text.
  if (blob.toString('base64') !== base64) {
    throw new InvalidPublicKey(
      `The key is damaged: what follows its type is not base64, or not all of it. ${ACCEPTED}`,
    );
  }
  return blob;
}

function readBlob(type: KeyType, blob: Uint8Array): number {
  const wire = new WireReader(blob);
  try {
    if (wire.text() !== type)
      throw new MalformedWire(`is not that of the type ${type} which it is said to be`);
    const readKey: ReadKey = KEY_TYPES[type];
    const bits = readKey(wire);
    wire.end();
    return bits;
  } catch (error) {
    if (!(error instanceof MalformedWire)) throw error;
    throw new InvalidPublicKey(
      `The key is damaged: its data ${error.message}. Copy it again from its .pub file.`,
    );
  }
}

function readEd25519(wire: WireReader): number {
  const point = wire.string();
  if (point.length !== 32) throw new MalformedWire(`has ${point.length} bytes where Ed25519 has 32`);
  if (!isUsableEd25519Point(point)) throw new MalformedWire('holds no usable point of the curve Ed25519');
  return 256;
}

function readEcdsa(wire: WireReader, curve: NistCurveName): number {
  if (wire.text() !== curve) throw new MalformedWire(`names another curve than ${curve}`);
  const point = wire.string();
  if (point[0] === 2 || point[0] === 3)
    throw new MalformedWire('holds a compressed point, which SSH does not use');
  const size = pointSizeOf(curve);
  if (point[0] !== 4 || point.length !== size) {
    throw new MalformedWire(`holds no uncompressed point of ${size} bytes, as ${curve} has`);
  }
  if (!isOnNistCurve(curve, point.subarray(1))) {
    throw new MalformedWire(`holds a point that does not lie on ${curve}`);
  }
  return bitsOfCurve(curve);
}

function readRsa(wire: WireReader): number {
  const exponent = wire.positiveInteger();
  const modulus = wire.positiveInteger();
  const bits = bitLength(modulus);
  if (bits > MAX_RSA_BITS) {
    throw new InvalidPublicKey(`An RSA key takes at most ${MAX_RSA_BITS} bits, and this one has ${bits}.`);
  }
  if (exponent < 3n || exponent % 2n === 0n || bitLength(exponent) > MAX_RSA_EXPONENT_BITS) {
    throw new MalformedWire(
      `has an exponent that is no odd number from 3 up to ${MAX_RSA_EXPONENT_BITS} bits`,
    );
  }
  if (modulus % 2n === 0n) throw new MalformedWire('has an even modulus, which is no product of two primes');
  return bits;
}

function readSecurityKey(wire: WireReader, readKey: ReadKey): number {
  const bits = readKey(wire);
  // Usually `ssh:`; a token that was enrolled elsewhere has that place's name.
  if (!/^[\x21-\x7e]{1,255}$/.test(wire.text())) {
    throw new MalformedWire('holds no application name of 1 to 255 printable characters');
  }
  return bits;
}

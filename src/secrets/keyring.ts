import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { DomainError } from '../errors.ts';
import { sha256Hex } from './hash.ts';

/** Where a secret is stored. A ciphertext that was moved to another place does not decrypt. */
export interface SecretPlace {
  table: string;
  column: string;
  row: string;
}

/** A stored secret is damaged, was moved, or its key left the keyring. Never garbage, never a guess. */
export class SecretUnreadable extends DomainError {
  constructor({ table, column, row }: SecretPlace, reason: string, cause?: unknown) {
    super(
      'SECRET_UNREADABLE',
      500,
      'A stored secret cannot be read. Ask the administrator to look at the log.',
      {
        cause: new Error(`${table}.${column} of row ${row}: ${reason}`, { cause }),
      },
    );
  }
}

/** Encrypts the secrets that have to be given back: AES-256-GCM, bound to table, column and row. */
export interface Keyring {
  encrypt: (plaintext: string, place: SecretPlace) => string;
  /** @throws SecretUnreadable */
  decrypt: (stored: string, place: SecretPlace) => string;
  /** The id of the key that encrypts. */
  primaryKeyId: string;
  /** The ids of all keys, the primary one first. */
  keyIds: string[];
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = 'v1';

/**
 * @param keys 32 bytes each; the first encrypts, all decrypt
 */
export function createKeyring(keys: Uint8Array[]): Keyring {
  const byId = new Map(keys.map((key) => [keyIdOf(key), key]));
  const [primary] = keys;
  if (!primary) throw new Error('A keyring needs a key.');
  const primaryKeyId = keyIdOf(primary);

  return {
    primaryKeyId,
    keyIds: [...byId.keys()],

    // Stored as v1.<key id>.<base64url of nonce, ciphertext and tag>. Random 96-bit nonces are safe for 2^32
    // values under one key (NIST SP 800-38D section 8.3).
    encrypt(plaintext, place) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', primary, nonce).setAAD(associatedData(place));
      const sealed = Buffer.concat([
        nonce,
        cipher.update(plaintext, 'utf8'),
        cipher.final(),
        cipher.getAuthTag(),
      ]);
      return `${VERSION}.${primaryKeyId}.${sealed.toString('base64url')}`;
    },

    decrypt(stored, place) {
      const [version, keyId, payload, ...rest] = stored.split('.');
      if (version !== VERSION || !keyId || !payload || rest.length > 0) {
        throw new SecretUnreadable(place, 'not in the form that this release writes');
      }
      const key = byId.get(keyId);
      if (!key) throw new SecretUnreadable(place, `its key ${keyId} is not among ENCRYPTION_KEYS`);
      const sealed = Buffer.from(payload, 'base64url');
      if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new SecretUnreadable(place, 'too short');
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES))
        .setAAD(associatedData(place))
        .setAuthTag(sealed.subarray(-TAG_BYTES));
      try {
        const plaintext = decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES));
        return Buffer.concat([plaintext, decipher.final()]).toString('utf8');
      } catch (cause) {
        throw new SecretUnreadable(place, 'it was changed, or moved from another place', cause);
      }
    },
  };
}

/** Names a key without telling anything of use about it. */
export function keyIdOf(key: Uint8Array): string {
  return sha256Hex(key).slice(0, 8);
}

function associatedData({ table, column, row }: SecretPlace): Buffer {
  return Buffer.from(JSON.stringify([table, column, row]));
}

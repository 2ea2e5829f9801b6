import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createKeyring, type SecretPlace, SecretUnreadable } from '../../src/secrets/keyring.ts';

const [key, other] = [randomBytes(32), randomBytes(32)];
const keyring = createKeyring([key]);
const place: SecretPlace = { table: 'external_auth_links', column: 'access_token', row: 'a-row' };
const text = fc.string({ unit: 'binary' }).filter((value) => value.isWellFormed());

/** What comes of reading it: never another text, never another kind of error. */
function read(stored: string, at = place, with_ = keyring): string | SecretUnreadable {
  try {
    return with_.decrypt(stored, at);
  } catch (error) {
    if (error instanceof SecretUnreadable) return error;
    throw error;
  }
}

describe('what was encrypted', () => {
  it('is read back, whatever it is, and is stored differently each time', () => {
    fc.assert(
      fc.property(text, (secret) => {
        const stored = keyring.encrypt(secret, place);
        expect(read(stored)).toBe(secret);
        expect(keyring.encrypt(secret, place)).not.toBe(stored);
      }),
    );
  });

  it('is refused when one bit of nonce, text or tag was flipped', () => {
    fc.assert(
      fc.property(text, fc.nat(), (secret, where) => {
        const [version, keyId, payload = ''] = keyring.encrypt(secret, place).split('.');
        const bytes = Buffer.from(payload, 'base64url');
        const bit = where % (bytes.length * 8);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(read(`${version}.${keyId}.${bytes.toString('base64url')}`)).toBeInstanceOf(SecretUnreadable);
      }),
    );
  });

  it('is refused when it was cut, or is something else', () => {
    fc.assert(
      fc.property(text, fc.nat(), fc.string(), (secret, where, anything) => {
        const stored = keyring.encrypt(secret, place);
        expect(read(stored.slice(0, where % stored.length))).toBeInstanceOf(SecretUnreadable);
        expect(read(anything)).toBeInstanceOf(SecretUnreadable);
      }),
    );
  });

  it('is refused in another table, column or row', () => {
    const part = fc.string();
    const elsewhere = fc.record({ table: part, column: part, row: part });
    fc.assert(
      fc.property(elsewhere, elsewhere, (here, there) => {
        fc.pre(JSON.stringify(here) !== JSON.stringify(there));
        expect(read(keyring.encrypt('secret', here), there)).toBeInstanceOf(SecretUnreadable);
      }),
    );
  });

  it('is read with any key of the ring, and refused without its own', () => {
    const stored = keyring.encrypt('secret', place);
    expect(read(stored, place, createKeyring([other, key]))).toBe('secret');
    expect(read(stored, place, createKeyring([other]))).toBeInstanceOf(SecretUnreadable);
  });
});

it('a refusal tells nobody but the log where and why, and neither of them what', () => {
  const stored = keyring.encrypt('the secret', place);
  const error = read(stored, { ...place, row: 'another-row' }) as SecretUnreadable;
  expect(error).toMatchObject({ code: 'SECRET_UNREADABLE', status: 500 });
  expect(error.message).not.toMatch(/row|external_auth/);
  expect(String(error.cause)).toContain('external_auth_links.access_token of row another-row');
  expect(`${error.message}${error.cause}`).not.toContain('the secret');
});

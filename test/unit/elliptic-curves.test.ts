import { createPublicKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isOnNistCurve,
  isUsableEd25519Point,
  type NistCurveName,
} from '../../src/ssh-keys/elliptic-curves.ts';
import { newEd25519Point, newNistPoint } from '../ssh-wire.ts';

describe("a point of one of NIST's curves", () => {
  const curves = [
    ['nistp256', 'P-256', 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n],
    ['nistp384', 'P-384', 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n],
    ['nistp521', 'P-521', 2n ** 521n - 1n],
  ] as const;

  /** What OpenSSL says of a point. */
  function opensslTakes(crv: string, coordinates: Buffer): boolean {
    const half = coordinates.length / 2;
    const [x, y] = [coordinates.subarray(0, half), coordinates.subarray(half)].map((part) =>
      part.toString('base64url'),
    );
    try {
      createPublicKey({ format: 'jwk', key: { kty: 'EC', crv, x, y } });
      return true;
    } catch {
      return false;
    }
  }

  const integer = (bytes: Buffer) => BigInt(`0x${bytes.toString('hex')}`);
  const write = (value: bigint, size: number) =>
    Buffer.from(
      value
        .toString(16)
        .padStart(2 * size, '0')
        .slice(-2 * size),
      'hex',
    );

  it.each(curves)('%s is on it exactly when OpenSSL says so', (name: NistCurveName, crv, p) => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.integer({ min: 1, max: 255 }), (where, value) => {
        const coordinates = newNistPoint(crv).subarray(1);
        expect(isOnNistCurve(name, coordinates)).toBe(true);
        const half = coordinates.length / 2;
        const [x, y] = [integer(coordinates.subarray(0, half)), integer(coordinates.subarray(half))];

        const mirrored = Buffer.concat([write(x, half), write(p - y, half)]);
        expect(isOnNistCurve(name, mirrored)).toBe(true);
        expect(opensslTakes(crv, mirrored)).toBe(true);

        const flipped = Buffer.from(coordinates);
        const at = where % flipped.length;
        flipped[at] = (flipped[at] ?? 0) ^ value;
        expect(isOnNistCurve(name, flipped)).toBe(opensslTakes(crv, flipped));
        expect(isOnNistCurve(name, flipped)).toBe(false);

        const swapped = Buffer.concat([write(y, half), write(x, half)]);
        expect(isOnNistCurve(name, swapped)).toBe(opensslTakes(crv, swapped));
      }),
      { numRuns: 40 },
    );
  });

  it.each(curves)('%s has coordinates below the prime, so that it has one spelling', (name, _crv, p) => {
    const size = Math.ceil(p.toString(2).length / 8);
    // On each of these curves there is a point with x = 0, whose y is the root of b; x = p would spell it again.
    const zero = Buffer.alloc(2 * size);
    expect(isOnNistCurve(name, zero)).toBe(false);
    expect(isOnNistCurve(name, Buffer.concat([write(p, size), Buffer.alloc(size)]))).toBe(false);
    if (name !== 'nistp256') return;
    const y = integer(Buffer.from('66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4', 'hex'));
    expect(isOnNistCurve(name, Buffer.concat([write(0n, size), write(y, size)]))).toBe(true);
    expect(isOnNistCurve(name, Buffer.concat([write(p, size), write(y, size)]))).toBe(false);
  });
});

describe('a point of Ed25519', () => {
  const bytes = (hex: string) => Buffer.from(hex, 'hex');

  it('of a new key is usable, with either sign', () => {
    for (let n = 0; n < 100; n += 1) {
      const point = newEd25519Point();
      expect(isUsableEd25519Point(point)).toBe(true);
      point[31] = (point[31] ?? 0) ^ 0x80;
      expect(isUsableEd25519Point(point)).toBe(true);
    }
  });

  // RFC 8032 section 7.1
  it.each([
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    '278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e',
    'ec172b93ad5e563f4932c70e1245034c35467ef2efd4d64ebf819683467e2bf2',
  ])('of the standard is usable: %s', (hex) => {
    expect(isUsableEd25519Point(bytes(hex))).toBe(true);
  });

  // Everybody can sign for a key of one of these. Each with either sign, and in every spelling there is.
  it.each([
    ['order 4', '0000000000000000000000000000000000000000000000000000000000000000'],
    ['order 1', '0100000000000000000000000000000000000000000000000000000000000000'],
    ['order 8', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'],
    ['order 8', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'],
    ['order 2', 'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'],
    ['order 4, not reduced', 'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'],
    ['order 1, not reduced', 'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'],
  ])('of %s is not usable: %s', (_order, hex) => {
    const point = bytes(hex);
    expect(isUsableEd25519Point(point)).toBe(false);
    point[31] = (point[31] ?? 0) ^ 0x80;
    expect(isUsableEd25519Point(point)).toBe(false);
  });

  it('is what about every second number stands for', () => {
    let usable = 0;
    for (let y = 2; y < 1_002; y += 1) {
      const point = Buffer.alloc(32);
      point.writeUInt16LE(y);
      if (isUsableEd25519Point(point)) usable += 1;
    }
    expect(usable).toBeGreaterThan(400);
    expect(usable).toBeLessThan(600);
  });

  it('is never one that is not reduced', () => {
    for (let y = 2n ** 255n - 19n; y < 2n ** 255n; y += 1n) {
      const point = Buffer.from(y.toString(16).padStart(64, '0'), 'hex').reverse();
      expect(isUsableEd25519Point(point)).toBe(false);
    }
  });
});

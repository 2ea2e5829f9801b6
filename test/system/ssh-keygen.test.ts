import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatFingerprint } from '../../src/ssh-keys/fingerprint.ts';
import { InvalidPublicKey, parsePublicKey } from '../../src/ssh-keys/public-key.ts';
import { keyLine, securityKeyLines, wireInteger, wireString } from '../ssh-wire.ts';
import { describeKey, makeKey } from './ssh-keygen.ts';

// OpenSSH's own program is asked about the same keys.

/** As `describeKey` tells it. Null when the line is refused. */
function ours(line: string) {
  try {
    const { bits, blobHash, comment } = parsePublicKey(line);
    return { bits, fingerprint: formatFingerprint(blobHash), comment };
  } catch (error) {
    if (error instanceof InvalidPublicKey) return null;
    throw error;
  }
}

describe('a new key is read as ssh-keygen reads it', () => {
  // None begins with a hash: ssh-keygen then says that there is none.
  const comments = ['', 'ada@example.com', 'two words', 'Ключ Ады', 'work #1, "ssh-rsa" AAAA'];

  it.each([
    ['ed25519', null],
    ['ecdsa', 256],
    ['ecdsa', 384],
    ['ecdsa', 521],
    ['rsa', 1024],
    ['rsa', 2048],
    ['rsa', 2049],
    ['rsa', 3072],
  ])('%s %s', (type, bits) => {
    for (const comment of comments) {
      const line = makeKey(type, bits, comment);
      const described = describeKey(line);
      expect(described).toMatchObject({ comment });
      expect(ours(line)).toEqual(described);
    }
  });

  it.each(Object.entries(securityKeyLines))('sk-%s', (_name, make) => {
    for (const comment of comments) {
      const line = make(comment, 'ssh:work');
      const described = describeKey(line);
      expect(described).toMatchObject({ bits: 256, comment });
      expect(ours(line)).toEqual(described);
    }
  });

  it('rsa of the largest size that OpenSSH takes', () => {
    const line = keyLine('ssh-rsa', [wireInteger(65537n), wireInteger(2n ** 16_383n + 1n)]);
    expect(ours(line)).toEqual(describeKey(line));
  });
});

describe('what ssh-keygen refuses is refused', () => {
  it('whatever is changed in a key', () => {
    const lines = [
      makeKey('ed25519', null, 'ada'),
      makeKey('ecdsa', 256, 'ada'),
      makeKey('ecdsa', 521, 'ada'),
      makeKey('rsa', 2048, 'ada'),
      securityKeyLines.ed25519('ada'),
      securityKeyLines.ecdsa('ada'),
    ];
    const change = fc.record({
      line: fc.constantFrom(...lines),
      at: fc.nat(10_000),
      value: fc.integer({ min: 1, max: 255 }),
      removed: fc.nat(2),
      inserted: fc.uint8Array({ maxLength: 2 }),
    });
    let refusedByBoth = 0;
    let takenByBoth = 0;
    fc.assert(
      fc.property(change, ({ line, at, value, removed, inserted }) => {
        const [type = '', base64 = ''] = line.split(' ');
        const blob = Buffer.from(base64, 'base64');
        // Most often in the part that has a structure.
        const position = at % (at % 3 === 0 ? blob.length : Math.min(blob.length, 50));
        blob[position] = (blob[position] ?? 0) ^ value;
        const changed = Buffer.concat([
          blob.subarray(0, position),
          inserted,
          blob.subarray(position + removed),
        ]);
        const text = `${type} ${changed.toString('base64')} ada`;
        const [we, they] = [ours(text), describeKey(text)];
        if (they === null) expect(we).toBeNull();
        // We are stricter; but what we take, they describe as we do.
        if (we !== null) expect(we).toEqual(they);
        if (we === null && they === null) refusedByBoth += 1;
        if (we !== null) takenByBoth += 1;
      }),
      { numRuns: 400 },
    );
    expect(refusedByBoth).toBeGreaterThan(50);
    expect(takenByBoth).toBeGreaterThan(5);
  });

  it('a number with needless zeros', () => {
    const line = keyLine('ssh-rsa', [wireString(Buffer.of(0, 1, 0, 1)), wireInteger(2n ** 2047n + 1n)]);
    expect(ours(line)).toBeNull();
  });
});

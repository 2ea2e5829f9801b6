import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatFingerprint, parseFingerprint } from '../../src/ssh-keys/fingerprint.ts';
import { faultOfKey } from '../../src/ssh-keys/policy.ts';
import { InvalidPublicKey, MAX_KEY_LINE, parsePublicKey } from '../../src/ssh-keys/public-key.ts';
import { newPublicKey } from '../new-public-key.ts';
import {
  keyLine,
  newEd25519Point,
  newNistPoint,
  securityKeyLines,
  wireInteger,
  wireString,
} from '../ssh-wire.ts';

interface Fixtures {
  accepted: {
    name: string;
    line: string;
    type: string;
    bits: number;
    fingerprint: string;
    comment: string;
  }[];
  weak: Record<string, string>;
  refused: Record<string, string>;
}

/** Written by scripts/ssh-key-fixtures.ts: keys of ssh-keygen, and what it says of them. */
const fixtures: Fixtures = JSON.parse(readFileSync('test/fixtures/ssh-public-keys.json', 'utf8'));

/** The message with which a text is refused. */
function refusalOf(text: string): string {
  try {
    parsePublicKey(text);
  } catch (error) {
    if (error instanceof InvalidPublicKey) return error.message;
    throw error;
  }
  throw new Error(`It was taken: ${text.slice(0, 200)}`);
}

const [sample] = fixtures.accepted;
if (!sample) throw new Error('There are no fixtures.');
const [ED25519 = '', BLOB = ''] = sample.line.split(' ');

const blobOf = (line: string) => Buffer.from(line.split(' ')[1] ?? '', 'base64');
const lineOf = (type: string, blob: Uint8Array) => `${type} ${Buffer.from(blob).toString('base64')}`;

describe('a key of ssh-keygen', () => {
  it.each(fixtures.accepted)('$name is read as ssh-keygen reads it', (expected) => {
    const key = parsePublicKey(expected.line);
    expect({ ...key, fingerprint: formatFingerprint(key.blobHash) }).toEqual({
      type: expected.type,
      bits: expected.bits,
      comment: expected.comment,
      fingerprint: expected.fingerprint,
      line: expected.line.split(' ').slice(0, 2).join(' '),
      blobHash: parseFingerprint(expected.fingerprint),
    });
  });

  it('may have white space around it and tabs or several spaces between its parts', () => {
    const key = parsePublicKey(`${ED25519} ${BLOB} a b`);
    for (const text of [
      `\n\n ${ED25519} ${BLOB} a b\r\n`,
      `\ufeff${ED25519}\t${BLOB}\t\ta b\t`,
      `${ED25519}   ${BLOB}   a b   `,
    ]) {
      expect(parsePublicKey(text)).toEqual(key);
    }
  });
});

describe('what is no public key, or none that is accepted, is refused with what it is', () => {
  const pem = (label: string) => `-----BEGIN ${label}-----\nQUJD\n-----END ${label}-----\n`;
  const { privateKey: pkcs8 } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const PRIVATE = /^This is a private key, or holds one\. It was not stored;.+Send the public half/;
  const LINES = /^There are several lines\. Send one key at a time/;
  const FRONT = /^Something stands in front of the key\. Options .+ begin with the key's type/;
  const UNKNOWN = /^This is no public key of a known type\. Send one line/;
  const BASE64 = /^The key is damaged: what follows its type is not base64, or not all of it\./;

  it.each<[what: string, text: string, message: RegExp]>([
    ['a DSA key', fixtures.refused.dsa ?? '', /^DSA keys are not accepted: .+ ssh-keygen -t ed25519$/],
    [
      'a certificate',
      fixtures.refused['an ed25519 certificate'] ?? '',
      /^This is a certificate.+without -cert/,
    ],
    [
      'a certificate of RSA',
      fixtures.refused['an rsa certificate'] ?? '',
      /^This is a certificate.+without -cert/,
    ],
    [
      'a key of SSH2',
      fixtures.refused.SSH2 ?? '',
      /SSH2 \(RFC 4716\)\. Turn it into .+: ssh-keygen -i -f FILE$/,
    ],
    ['a key of PKCS8', fixtures.refused.PKCS8 ?? '', /in PEM\. Turn .+ ssh-keygen -i -m PKCS8 -f FILE$/],
    ['a key of PEM', fixtures.refused.PEM ?? '', /in PEM\. Turn .+/],
    ['an X.509 certificate', pem('CERTIFICATE'), /^This is a key or certificate in PEM/],
    ['a private key of PKCS8', pkcs8, PRIVATE],
    ['a private key of OpenSSH', pem('OPENSSH PRIVATE KEY'), PRIVATE],
    ['an encrypted private key', pem('ENCRYPTED PRIVATE KEY'), PRIVATE],
    ['a private key of RSA', pem('RSA PRIVATE KEY'), PRIVATE],
    ['a private key of PuTTY', 'PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none', PRIVATE],
    ['a private key of SSH2', '---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nQUJD', PRIVATE],
    ['a private key in one line', pkcs8.replaceAll('\n', ' '), PRIVATE],
    [
      'a private key without its first line',
      'b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtz',
      PRIVATE,
    ],
    ['a private key behind a public one', `${sample.line}\n${pem('OPENSSH PRIVATE KEY')}`, PRIVATE],
    ['a long private key', `${pem('RSA PRIVATE KEY')}${'QUJD'.repeat(5_000)}`, PRIVATE],
    ['nothing', '', /^The key must not be empty\. Send one line/],
    ['white space', ' \r\n\t ', /^The key must not be empty\./],
    ['two keys', `${sample.line}\n${sample.line}`, LINES],
    ['a wrapped key', `${ED25519} ${BLOB.slice(0, 40)}\n${BLOB.slice(40)}`, LINES],
    ['a comment in a line of its own', `# mine\n${sample.line}`, LINES],
    ['carriage returns between two keys', `${sample.line}\r${sample.line}`, LINES],
    ['options', `restrict ${sample.line}`, FRONT],
    ['options with spaces', `command="rm -rf /",no-pty ${sample.line}`, FRONT],
    ['a host', `github.com ${sample.line}`, FRONT],
    ['a base64 without a type', `${BLOB} ada`, /^The key's type in front of the base64 is missing\./],
    ['a type without base64', ED25519, /^The key is cut off behind its type\./],
    ["a signature's name", `rsa-sha2-512 ${BLOB}`, /^rsa-sha2-256 and rsa-sha2-512 are names of signatures/],
    ['a key of SSH version 1', '1024 65537 1234567890 ada', /^Keys of SSH version 1 are not accepted\./],
    ['another type', `ssh-ed448 ${BLOB}`, UNKNOWN],
    ["a property of JavaScript's objects", `constructor ${BLOB}`, UNKNOWN],
    ['the type in capitals', `SSH-ED25519 ${BLOB}`, UNKNOWN],
    ['a space that cannot be broken', `${ED25519}\u00a0${BLOB}`, UNKNOWN],
    ['prose', 'my key is the blue one', UNKNOWN],
    ['a path', '~/.ssh/id_ed25519.pub', UNKNOWN],
    ['a NUL', `${ED25519}\0 ${BLOB}`, UNKNOWN],
    ['base64 that is cut off', `${ED25519} ${BLOB.slice(0, -1)}`, BASE64],
    ['base64 without its padding', `ssh-rsa ${'AAAAB3NzaC1yc2E'}`, BASE64],
    ['base64 with too much padding', `${ED25519} ${BLOB}=`, BASE64],
    ['base64 with bits to spare', `ssh-rsa AAAAB3NzaC1yc2F=`, BASE64],
    [
      'base64 for URLs',
      `${ED25519} ${'AAAAC3NzaC1lZDI1NTE5AAAAI'}${BLOB.slice(25, -1).replace(/.$/, '_')}${BLOB.slice(-1)}`,
      BASE64,
    ],
    ['base64 with a letter of another alphabet', `${ED25519} ${BLOB.slice(0, -1)}ж`, BASE64],
    ['base64 with quotes around it', `${ED25519} "${BLOB}"`, BASE64],
    ['a comment that is too long', `${ED25519} ${BLOB} ${'c'.repeat(256)}`, /at most 255 characters/],
    [
      'a comment with an escape sequence',
      `${ED25519} ${BLOB} \u001b[31mred`,
      /comment .+ control characters/,
    ],
    ['a comment with a tab', `${ED25519} ${BLOB} a\tb`, /comment .+ control characters/],
    ['a comment with a NUL', `${ED25519} ${BLOB} a\0b`, /comment .+ control characters/],
    ['a comment with a line separator', `${ED25519} ${BLOB} a\u2028b`, /comment .+ control characters/],
    ['a comment with a lone surrogate', `${ED25519} ${BLOB} a\ud800b`, /comment .+ control characters/],
    ['a text that is too long', `${ED25519} ${'A'.repeat(MAX_KEY_LINE)}`, /^The key is too long: .+ 8192/],
  ])('%s', (_what, text, message) => {
    expect(refusalOf(text)).toMatch(message);
  });

  it("GitFlic's documented samples, which are damaged on purpose", () => {
    const request =
      'ssh-ed25519 AAAAC3NzaC1lZHRNRPTE5AAAAIDkxja/2VmTEsJDTtf3bI4XYDpb58fvKfSjy7/u8EZeI your_email@gitflic.ru';
    const response =
      'ssh-ed25519 AAAAC3NzaC1lZFHNRPTE5AAAAIDkxja/2VmTEsJDTtf3bI4XYDpb58fvKfSjy7/u8EZeI your_email@gitflic.ru';
    for (const text of [request, response]) expect(refusalOf(text)).toMatch(/^The key is damaged: /);
  });

  it('a comment about a private key is just a comment', () => {
    expect(parsePublicKey(`${ED25519} ${BLOB} not the private key`).comment).toBe('not the private key');
  });
});

describe('a blob that breaks its format is refused with what is wrong', () => {
  const point = newEd25519Point();
  const nistPoint = newNistPoint('P-256');
  const offCurve = Buffer.from(nistPoint);
  offCurve[64] = (offCurve[64] ?? 0) ^ 1;
  const modulus = 2n ** 2047n + 1n;
  const rsa = (...parts: Buffer[]) => keyLine('ssh-rsa', parts);
  const ecdsa = (...parts: Buffer[]) => keyLine('ecdsa-sha2-nistp256', parts);

  it.each<[what: string, line: string, message: RegExp]>([
    [
      'another type within',
      lineOf('ssh-ed25519', blobOf(fixtures.accepted[3]?.line ?? '')),
      /is not that of the type ssh-ed25519/,
    ],
    [
      'an RSA key said to be Ed25519',
      lineOf('ssh-ed25519', blobOf(fixtures.accepted[6]?.line ?? '')),
      /is not that of the type/,
    ],
    ['an empty blob', 'ssh-ed25519 AAAA', /ends too early/],
    ['a type without a key', keyLine('ssh-ed25519', []), /ends too early/],
    [
      'a length beyond the end',
      keyLine('ssh-ed25519', [Buffer.of(255, 255, 255, 255), point]),
      /ends too early/,
    ],
    [
      'bytes behind the end',
      keyLine('ssh-ed25519', [wireString(point), Buffer.of(0, 0, 0)]),
      /goes on for 3 bytes behind the end/,
    ],
    [
      'a short point of Ed25519',
      keyLine('ssh-ed25519', [wireString(point.subarray(1))]),
      /has 31 bytes where Ed25519 has 32/,
    ],
    [
      'a long point of Ed25519',
      keyLine('ssh-ed25519', [wireString(Buffer.concat([point, Buffer.of(0)]))]),
      /has 33 bytes/,
    ],
    [
      'a point of small order',
      keyLine('ssh-ed25519', [wireString(Buffer.alloc(32))]),
      /no usable point of the curve Ed25519/,
    ],
    [
      'another curve',
      ecdsa(wireString('nistp384'), wireString(newNistPoint('P-384'))),
      /names another curve than nistp256/,
    ],
    [
      "another curve's point",
      ecdsa(wireString('nistp256'), wireString(newNistPoint('P-384'))),
      /no uncompressed point of 65 bytes/,
    ],
    [
      'a compressed point',
      ecdsa(wireString('nistp256'), wireString(Buffer.concat([Buffer.of(2), nistPoint.subarray(1, 33)]))),
      /compressed point, which SSH does not use/,
    ],
    [
      'the point at infinity',
      ecdsa(wireString('nistp256'), wireString(Buffer.of(0))),
      /no uncompressed point of 65 bytes/,
    ],
    [
      'a point of another form',
      ecdsa(wireString('nistp256'), wireString(Buffer.concat([Buffer.of(6), nistPoint.subarray(1)]))),
      /no uncompressed point/,
    ],
    [
      'a point off the curve',
      ecdsa(wireString('nistp256'), wireString(offCurve)),
      /does not lie on nistp256/,
    ],
    [
      'a security key without an application',
      keyLine('sk-ssh-ed25519@openssh.com', [wireString(point)]),
      /ends too early/,
    ],
    ['an empty application', securityKeyLines.ed25519('', ''), /no application name/],
    ['an application with control characters', securityKeyLines.ecdsa('', 'ssh:\n'), /no application name/],
    ['an application that is too long', securityKeyLines.ecdsa('', 'a'.repeat(256)), /no application name/],
    ['a negative modulus', rsa(wireInteger(65537n), wireString(Buffer.of(0x80, 1))), /is not above 0/],
    ['a modulus of zero', rsa(wireInteger(65537n), wireString('')), /is not above 0/],
    ['a number of one zero', rsa(wireString(Buffer.of(0)), wireInteger(modulus)), /needless leading zeros/],
    [
      'a modulus with leading zeros',
      rsa(
        wireInteger(65537n),
        wireString(Buffer.concat([Buffer.of(0, 0), Buffer.from(modulus.toString(16), 'hex')])),
      ),
      /needless leading zeros/,
    ],
    [
      'an exponent with leading zeros',
      rsa(wireString(Buffer.of(0, 1, 0, 1)), wireInteger(modulus)),
      /needless leading zeros/,
    ],
    ['an exponent of 1', rsa(wireInteger(1n), wireInteger(modulus)), /exponent that is no odd number from 3/],
    ['an even exponent', rsa(wireInteger(65536n), wireInteger(modulus)), /exponent that is no odd number/],
    ['a huge exponent', rsa(wireInteger(2n ** 64n + 1n), wireInteger(modulus)), /up to 64 bits/],
    ['an even modulus', rsa(wireInteger(65537n), wireInteger(modulus + 1n)), /even modulus/],
    [
      'a huge modulus',
      rsa(wireInteger(65537n), wireInteger(2n ** 16_384n + 1n)),
      /^An RSA key takes at most 16384 bits, and this one has 16385\.$/,
    ],
    [
      'exponent and modulus the wrong way round',
      rsa(wireInteger(modulus), wireInteger(65537n)),
      /exponent that is no/,
    ],
  ])('%s', (_what, line, message) => {
    expect(refusalOf(line)).toMatch(message);
    if (!/^An RSA/.test(refusalOf(line))) expect(refusalOf(line)).toMatch(/^The key is damaged: its data /);
  });
});

describe('the policy', () => {
  const weak = parsePublicKey(fixtures.weak['rsa 1024'] ?? '');

  it('refuses short RSA keys, and says how long one must be', () => {
    expect(faultOfKey(weak, { rsaMinBits: 2048, maxLifetimeDays: null })).toBe(
      'RSA keys need at least 2048 bits, and this one has 1024. Better make an Ed25519 key: ssh-keygen -t ed25519',
    );
    expect(faultOfKey(weak, { rsaMinBits: 1024, maxLifetimeDays: null })).toBeNull();
    expect(faultOfKey(weak, { rsaMinBits: 1025, maxLifetimeDays: null })).toMatch(/at least 1025 bits/);
  });

  it('does not count the bits of other types', () => {
    for (const { type, line } of fixtures.accepted) {
      if (type === 'ssh-rsa') continue;
      expect(faultOfKey(parsePublicKey(line), { rsaMinBits: 16_384, maxLifetimeDays: null })).toBeNull();
    }
  });
});

describe('a fingerprint', () => {
  it('is written and read back, in one spelling', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (hash) => {
        const fingerprint = formatFingerprint(hash);
        expect(fingerprint).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/);
        expect(parseFingerprint(fingerprint)).toEqual(Uint8Array.from(hash));
      }),
    );
  });

  it('is nothing else', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 60 }),
      fc.stringMatching(/^SHA256:[A-Za-z0-9+/]{42,44}=?$/),
      fc.stringMatching(/^MD5(?::[0-9a-f]{2}){16}$/),
    );
    fc.assert(
      fc.property(text, (fingerprint) => {
        const hash = parseFingerprint(fingerprint);
        if (hash) expect(formatFingerprint(hash)).toBe(fingerprint);
      }),
    );
    const fingerprint = formatFingerprint(Buffer.alloc(32));
    for (const other of [
      `${fingerprint}=`,
      ` ${fingerprint}`,
      `${fingerprint}\n`,
      fingerprint.slice(0, -1),
      fingerprint.slice(7),
      fingerprint.replace('SHA256', 'sha256'),
      fingerprint.replace(/A$/, 'B'),
    ]) {
      expect(parseFingerprint(other), other).toBeNull();
    }
  });
});

describe('any key', () => {
  const comment = fc
    .string({ unit: 'grapheme', maxLength: 60 })
    .map((text) => text.trim())
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a comment must not have
    .filter((text) => !/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text));
  const oddInteger = (minBits: number, maxBits: number) =>
    fc
      .tuple(fc.integer({ min: minBits, max: maxBits }), fc.uint8Array({ minLength: 512, maxLength: 512 }))
      .map(([bits, bytes]) => {
        const random = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
        return BigInt.asUintN(bits - 1, random) | (1n << BigInt(bits - 1)) | 1n;
      });
  const rsaKey = fc.record({ exponent: oddInteger(2, 64), modulus: oddInteger(1_024, 4_096) });

  it('of RSA is read back as it was written', () => {
    fc.assert(
      fc.property(rsaKey, comment, ({ exponent, modulus }, comment) => {
        const line = keyLine('ssh-rsa', [wireInteger(exponent), wireInteger(modulus)]);
        const key = parsePublicKey(`${line} ${comment}`);
        expect(key).toMatchObject({ type: 'ssh-rsa', bits: modulus.toString(2).length, line, comment });
      }),
    );
  });

  const makers: [type: string, bits: number, make: () => Buffer[]][] = [
    ['ssh-ed25519', 256, () => [wireString(newEd25519Point())]],
    ['sk-ssh-ed25519@openssh.com', 256, () => [wireString(newEd25519Point()), wireString('ssh:')]],
    ['ecdsa-sha2-nistp256', 256, () => [wireString('nistp256'), wireString(newNistPoint('P-256'))]],
    ['ecdsa-sha2-nistp384', 384, () => [wireString('nistp384'), wireString(newNistPoint('P-384'))]],
    ['ecdsa-sha2-nistp521', 521, () => [wireString('nistp521'), wireString(newNistPoint('P-521'))]],
    [
      'sk-ecdsa-sha2-nistp256@openssh.com',
      256,
      () => [wireString('nistp256'), wireString(newNistPoint('P-256')), wireString('ssh:')],
    ],
  ];

  it.each(makers)('of %s is read back as it was written', (type, bits, make) => {
    fc.assert(
      fc.property(comment, (comment) => {
        const line = keyLine(type, make());
        expect(parsePublicKey(`${line} ${comment}`)).toMatchObject({ type, bits, line, comment });
      }),
      { numRuns: 50 },
    );
  });
});

describe('any change', () => {
  const line = fc.constantFrom(...fixtures.accepted.map((fixture) => fixture.line));
  const edit = fc.record({
    how: fc.constantFrom('flip', 'insert', 'remove', 'cut', 'append', 'double' as const),
    where: fc.nat(100_000),
    value: fc.integer({ min: 1, max: 255 }),
  });

  function changed(bytes: Buffer, { how, where, value }: { how: string; where: number; value: number }) {
    const at = where % bytes.length;
    const head = bytes.subarray(0, at);
    const tail = bytes.subarray(at);
    switch (how) {
      case 'flip':
        return Buffer.concat([head, Buffer.of((tail[0] ?? 0) ^ value), tail.subarray(1)]);
      case 'insert':
        return Buffer.concat([head, Buffer.of(value), tail]);
      case 'remove':
        return Buffer.concat([head, tail.subarray(1)]);
      case 'cut':
        return head;
      case 'append':
        return Buffer.concat([bytes, Buffer.of(value)]);
      default:
        return Buffer.concat([bytes, bytes]);
    }
  }

  /** Parses a text, and checks that what was taken is exactly what the text says. Null when it was refused. */
  function parseOrRefuse(text: string) {
    let key: ReturnType<typeof parsePublicKey>;
    try {
      key = parsePublicKey(text);
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidPublicKey);
      const { message } = error as InvalidPublicKey;
      expect(message).toMatch(/^[A-Zr].{20,500}$/);
      return null;
    }
    const [, type, base64, comment] = /^\s*(\S+)[ \t]+(\S+)[ \t]*(.*?)\s*$/s.exec(text) ?? [];
    expect(key).toMatchObject({ type, line: `${type} ${base64}`, comment });
    const blob = Buffer.from(base64 ?? '', 'base64');
    expect(blob.toString('base64')).toBe(base64);
    expect(blob.subarray(4, 4 + key.type.length).toString()).toBe(type);
    return key;
  }

  it('of the bytes of a blob is refused, or makes another key of the same form', () => {
    fc.assert(
      fc.property(line, edit, (line, edit) => {
        const [type = ''] = line.split(' ');
        const before = blobOf(line);
        const after = changed(before, edit);
        const key = parseOrRefuse(lineOf(type, after));
        if (!key) return;
        expect(key.blobHash).not.toEqual(parsePublicKey(line).blobHash);
        // Another length of the exponent makes another key of RSA; all other keys have their one size.
        if (type === 'ssh-rsa') return;
        expect(after.length).toBe(before.length);
        const first = before.findIndex((byte, at) => byte !== after[at]);
        // Only the point of Ed25519 may change, and the application's name: a changed point of ECDSA is off its curve.
        expect(type).toMatch(/^sk-|^ssh-ed25519$/);
        expect(first).toBeGreaterThanOrEqual(before.length - (type.includes('ed25519') ? 32 + 12 : 8));
      }),
      { numRuns: 3_000 },
    );
  });

  it('of the characters of a line is refused, or makes another key or comment that is said so', () => {
    const character = fc.oneof(
      fc.constantFrom(' ', '\t', '\n', '\r', '=', 'A', '/', '-', '\0', '\u2028', '\ufeff', '"', '#'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    );
    fc.assert(
      fc.property(
        line,
        fc.nat(100_000),
        fc.nat(2),
        fc.array(character, { maxLength: 3 }),
        (line, where, removed, inserted) => {
          const at = where % (line.length + 1);
          const text = line.slice(0, at) + inserted.join('') + line.slice(at + removed);
          const key = parseOrRefuse(text);
          if (!key) return;
          const before = parsePublicKey(line);
          const sameKey = Buffer.from(key.blobHash).equals(before.blobHash);
          expect(sameKey).toBe(key.line === before.line);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('down to any text at all is refused in clear words, which quote nothing of it', () => {
    const word = fc.oneof(
      fc.constantFrom(
        'ssh-ed25519',
        'ssh-rsa',
        'sk-ssh-ed25519@openssh.com',
        BLOB,
        'AAAAB3NzaC1yc2E=',
        '-----BEGIN',
        'PRIVATE KEY',
        '#',
        '\n',
      ),
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.base64String({ maxLength: 200 }),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), fc.constantFrom(' ', '', '\t'), (words, space) => {
        parseOrRefuse(words.join(space));
      }),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{12}$/), fc.nat(3), (secret, place) => {
        const parts = [ED25519, BLOB];
        parts.splice(place, place === 3 ? 1 : 0, `${secret}\u0001${secret}`);
        expect(refusalOf(parts.join(' '))).not.toContain(secret);
      }),
    );
  });

  // Patterns that look twice at each character take minutes for these.
  it('takes no time that grows faster than the text', () => {
    const size = 260_000;
    const started = performance.now();
    for (const text of [
      `x${' '.repeat(size)}x`,
      'BEGIN '.repeat(size / 6),
      '\n'.repeat(size),
      `ssh-ed25519 ${'A'.repeat(size)}`,
      ' \t'.repeat(size / 2),
    ]) {
      refusalOf(text);
    }
    expect(performance.now() - started).toBeLessThan(10_000);
    const longest = keyLine('ssh-rsa', [wireInteger(65537n), wireInteger(2n ** 16_383n + 1n)]);
    expect(parsePublicKey(longest).bits).toBe(16_384);
  });
});

it('two new keys are two keys', () => {
  expect(parsePublicKey(newPublicKey()).blobHash).not.toEqual(parsePublicKey(newPublicKey()).blobHash);
});

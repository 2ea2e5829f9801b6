import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLog, maskSecrets } from '../../src/log.ts';
import { mintSecret } from '../../src/secrets/mint.ts';

function logged(object: object): string {
  const lines: string[] = [];
  createLog({ level: 'info' }, { write: (line) => lines.push(line) }).info(object, 'happened');
  return lines.join('');
}

describe('the log', () => {
  it.each<[string, (secret: string) => object]>([
    ['under a name that promises one', (secret) => ({ accessToken: secret })],
    ['deep within an object', (secret) => ({ a: { b: { c: [{ client_secret: secret }] } } })],
    ['in a JSON text', (secret) => ({ body: JSON.stringify({ refresh_token: secret }) })],
    [
      'in a JSON text within a JSON text',
      (secret) => ({ body: JSON.stringify(JSON.stringify({ password: secret })) }),
    ],
    ['in a form', (secret) => ({ body: `grant_type=x&device_code=${secret}&scope=y` })],
    ['in a header', (secret) => ({ headers: { authorization: `Bearer ${secret}` } })],
    ['in the text of a header', (secret) => ({ text: `authorization Bearer ${secret}` })],
    ['in an address', (secret) => ({ url: `postgres://user:${secret}@db.example/x` })],
    ['in the message of an error', (secret) => ({ err: new Error(`token=${secret} was refused`) })],
  ])('masks a secret %s', (_where, place) => {
    for (const secret of ['0123456789abcdefABCDEF', 'with-a-dash_and~tilde.dot']) {
      const line = logged(place(secret));
      expect(line).not.toContain(secret);
      expect(line).toContain('[masked]');
      expect(() => JSON.parse(line)).not.toThrow();
    }
  });

  it('masks what looks like one of ours, wherever it stands', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom('gth_', 'gts_'), (around, prefix) => {
        const secret = mintSecret(prefix as 'gth_');
        const line = logged({ text: `${around} ${secret}`, [secret]: around });
        expect(line).not.toContain(secret.slice(4));
      }),
    );
  });

  it('stays JSON, whatever is masked', () => {
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc.constantFrom(
        'token=',
        '"password":"',
        '\\"secret\\":\\"',
        'Bearer aaaaaaaaaaaaaaaaaaaa',
        '://a:b@c',
        '\\',
      ),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { maxLength: 6 }), (pairs) => {
        const object = Object.fromEntries(pairs);
        const masked = JSON.parse(maskSecrets(JSON.stringify({ before: 1, object, after: 2 })));
        expect(masked).toMatchObject({ before: 1, after: 2 });
      }),
      { numRuns: 1_000 },
    );
  });

  it('leaves alone what is none', () => {
    const harmless = {
      requestId: '0192f0c1-0000-7000-8000-000000000000',
      tokenId: '0192f0c1-0000-7000-8000-000000000000',
      work: 'token last use',
      url: 'https://gatehouse.example/external-auth/github',
    };
    expect(JSON.parse(logged(harmless))).toMatchObject(harmless);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectNothingStored } from '../database-dump.ts';
import { useGateway } from '../harness.ts';
import { askCoder, type CoderAnswer, NOT_FOUND } from './coder-client.ts';

const gateway = useGateway({
  env: {
    MAX_BODY_BYTES: '8192',
    EXTERNAL_AUTH_0_ID: 'forge',
    EXTERNAL_AUTH_0_TYPE: 'generic',
    EXTERNAL_AUTH_0_CLIENT_ID: 'gatehouse',
    EXTERNAL_AUTH_0_CLIENT_SECRET: 'canary-client-secret',
    EXTERNAL_AUTH_0_AUTH_URL: 'https://forge.test/authorize',
    EXTERNAL_AUTH_0_TOKEN_URL: 'https://forge.test/token',
    EXTERNAL_AUTH_0_DEVICE_FLOW: 'true',
    EXTERNAL_AUTH_0_DEVICE_CODE_URL: 'https://forge.test/device',
  },
  // A refused request must not reach the provider either.
  fetch: () => Promise.reject(new Error('no request may leave')),
});

const EXCHANGE = 'POST /external-auth/forge/device';

/** Sends something that must be refused, and checks that nothing was stored. */
async function refused(
  request: string,
  options: Omit<Parameters<typeof askCoder>[2] & object, 'token'> = {},
): Promise<CoderAnswer> {
  const { token } = await gateway.user();
  return expectNothingStored(gateway, () => askCoder(gateway, request, { token, ...options }));
}

describe('the body of POST …/device', () => {
  it.each([
    ['missing', {}],
    ['null', { device_code: null }],
    ['a number', { device_code: 1 }],
    ['a boolean', { device_code: true }],
    ['a list', { device_code: ['abc'] }],
    ['an object', { device_code: { code: 'abc' } }],
    ['empty', { device_code: '' }],
    ['too long', { device_code: 'a'.repeat(4_097) }],
    ['with a NUL', { device_code: 'abc\u0000' }],
    ['with a line break', { device_code: 'abc\ndef' }],
    ['with DEL', { device_code: 'abc\u007f' }],
    ['with a lone surrogate', { device_code: 'abc\ud800' }],
    ['beyond ASCII', { device_code: 'abcé' }],
  ])('is refused with a validation when device_code is %s', async (_what, json) => {
    const { status, body } = await refused(EXCHANGE, { json });
    expect(status).toBe(400);
    expect(body).toEqual({
      message: expect.any(String),
      validations: [{ field: 'device_code', detail: expect.stringContaining('1 to 4096') }],
    });
  });

  it.each(['null', '[]', '"abc"', '1', 'true'])('is refused when it is %s', async (body) => {
    const answer = await refused(EXCHANGE, { body, headers: { 'content-type': 'application/json' } });
    expect(answer.status).toBe(400);
    expect(answer.body.validations).toEqual([{ field: 'body', detail: expect.any(String) }]);
  });

  it.each([
    ['no JSON', '{"device_code": '],
    ['blank', ' '],
    ['JSON with something behind', '{"device_code":"abc"} x'],
    ['invalid UTF-8', new Uint8Array([...Buffer.from('{"device_code":"a'), 0xff, ...Buffer.from('"}')])],
    ['UTF-8 that is cut', new Uint8Array([...Buffer.from('{"device_code":"a"}'), 0xc3])],
  ])('is refused when it is %s', async (_what, body) => {
    const answer = await refused(EXCHANGE, { body, headers: { 'content-type': 'application/json' } });
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual({ message: 'The body is not valid JSON in UTF-8.' });
  });

  it('is refused with 413 when it is too large, also when no length is told', async () => {
    const large = JSON.stringify({ device_code: 'abc', padding: 'x'.repeat(8_192) });
    for (const body of [large, new Blob([large]).stream()]) {
      const answer = await refused(EXCHANGE, { body, headers: { 'content-type': 'application/json' } });
      expect(answer.status).toBe(413);
      expect(answer.body).toEqual({ message: expect.stringContaining('8192 bytes') });
    }
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'json'])(
    'is refused with 415 when it is said to be %s',
    async (contentType) => {
      const body = '{"device_code":"abc"}';
      const answer = await refused(EXCHANGE, { body, headers: { 'content-type': contentType } });
      expect(answer.status).toBe(415);
      expect(answer.body).toEqual({ message: expect.stringContaining('application/json') });
    },
  );

  it('never shows what was sent', async () => {
    for (const body of ['{"device_code":"canary-device-code', '{"device_code":["canary-device-code"]}']) {
      const { text } = await refused(EXCHANGE, { body, headers: { 'content-type': 'application/json' } });
      expect(text).not.toContain('canary');
    }
    expect(gateway.logLines.join('')).not.toContain('canary');
  });

  it('is refused with 400 whatever JSON it is, and nothing is stored', async () => {
    const { token } = await gateway.user();
    await expectNothingStored(gateway, () =>
      fc.assert(
        fc.asyncProperty(
          fc.oneof(
            fc.jsonValue(),
            fc.record({ device_code: fc.jsonValue() }),
            fc.record({ device_code: fc.string({ unit: 'binary', maxLength: 5_000 }) }),
          ),
          async (json) => {
            const { status } = await askCoder(gateway, EXCHANGE, { token, json });
            expect(status).toBe(400);
          },
        ),
        { numRuns: 60 },
      ),
    );
  });

  it('is refused whatever bytes it is', async () => {
    const { token } = await gateway.user();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
        const { status } = await askCoder(gateway, EXCHANGE, { token, body: new Uint8Array(bytes) });
        expect(status).toBe(400);
      }),
      { numRuns: 60 },
    );
  });
});

describe('an id that no provider has', () => {
  const requests = (id: string) => [
    `GET /external-auth/${id}`,
    `DELETE /external-auth/${id}`,
    `GET /external-auth/${id}/device`,
    `POST /external-auth/${id}/device`,
  ];

  it.each([
    'nowhere',
    'FORGE',
    'forge%00',
    '%00',
    '%',
    '%ff',
    '%zz',
    '%0a',
    'forge%20',
    '%27%3B--',
    'x'.repeat(5_000),
  ])('is answered with 404: %s', async (id) => {
    for (const request of requests(id)) {
      const { status, body } = await refused(request);
      expect({ request, status, body }).toEqual({ request, status: 404, body: NOT_FOUND });
    }
  });

  it('is answered with 404 whatever it is', async () => {
    const { token } = await gateway.user();
    await expectNothingStored(gateway, () =>
      fc.assert(
        fc.asyncProperty(
          fc.string({ unit: 'binary', minLength: 1 }).filter((id) => !['forge', '.', '..'].includes(id)),
          fc.nat(3),
          async (id, which) => {
            const request = requests(encodeURIComponent(id.toWellFormed()))[which] as string;
            const { status, body } = await askCoder(gateway, request, { token });
            expect({ status, body }).toEqual({ status: 404, body: NOT_FOUND });
          },
        ),
        { numRuns: 100 },
      ),
    );
  });
});

describe('a path or method outside the contract', () => {
  it.each([
    '/',
    '',
    '/nowhere',
    '/external-auths',
    '/external-auth/forge/devices',
    '/external-auth/forge/device/x',
  ])('is answered with 404: %s', async (path) => {
    for (const method of ['GET', 'POST', 'DELETE']) {
      const { status, body } = await refused(`${method} ${path}`);
      expect({ status, body }).toEqual({ status: 404, body: { message: 'Route not found.' } });
    }
  });

  it.each([
    ['/external-auth', ['POST', 'PUT', 'PATCH', 'DELETE'], 'GET, HEAD, OPTIONS'],
    ['/external-auth/forge', ['POST', 'PUT', 'PATCH'], 'DELETE, GET, HEAD, OPTIONS'],
    ['/external-auth/forge/device', ['PUT', 'PATCH', 'DELETE'], 'GET, HEAD, OPTIONS, POST'],
  ])('is answered with 405 and Allow: %s', async (path, methods, allow) => {
    for (const method of methods) {
      for (const slash of ['', '/']) {
        const { status, body, headers } = await refused(`${method} ${path}${slash}`);
        expect({ status, allow: headers.get('allow') }).toEqual({ status: 405, allow });
        expect(body).toEqual({ message: `This path takes ${allow}.` });
      }
    }
  });
});

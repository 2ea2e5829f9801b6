import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { expectNothingStored } from '../database-dump.ts';
import { useGateway } from '../harness.ts';
import { newPublicKey } from '../new-public-key.ts';
import { askGitflic, fieldsOf, newApp } from './gitflic-client.ts';

const gateway = useGateway();
let token: string;
/** The requests that take a body, and a body that they take. */
let REQUESTS: Record<string, { request: string; valid: () => Record<string, unknown> }>;

beforeAll(async () => {
  ({ token } = await gateway.user());
  const { body } = await askGitflic(gateway, 'POST /user/settings/oauth', { token, json: newApp });
  REQUESTS = {
    'adding a key': {
      request: 'POST /user/settings/add-ssh-key',
      valid: () => ({ publicKey: newPublicKey(), title: 'Laptop', expiresAt: '2090-01-31T12:00:00Z' }),
    },
    'creating an app': { request: 'POST /user/settings/oauth', valid: () => newApp },
    'replacing an app': { request: `PUT /user/settings/oauth/${body.id}`, valid: () => newApp },
  };
});

const MISSING = Symbol('missing');
const TYPES = { 'a number': 7, true: true, 'an object': {}, 'a list': ['x'] };
const ABSENCE = { missing: MISSING, null: null };
const TEXTS = {
  empty: '',
  blank: '  \t ',
  'over-long': 'x'.repeat(20_000),
  'with NUL': 'a\u0000b',
  'with an escape': 'a\u001b[2Jb',
  'with half a character': 'a\ud800b',
};
const LINES = { ...TEXTS, 'of two lines': 'a\nb', 'with a line separator': 'a\u2028b' };
const URLS = {
  ...LINES,
  'no URL': 'nowhere',
  'a path': '/home',
  'without a host': 'https://',
  'a script': 'javascript:alert(1)',
  data: 'data:text/html,x',
  'with a password': 'https://ada:secret@example.com/',
};

/** Every way in which a field can be wrong, by request and field. */
const FAULTS: Record<string, Record<string, Record<string, unknown>>> = {
  'adding a key': {
    publicKey: {
      ...ABSENCE,
      ...TYPES,
      ...LINES,
      'no key': 'hello',
      'of an unknown type': 'ssh-foo AAAAB3NzaC1kc3M= x',
      'a type alone': 'ssh-ed25519',
      'damaged base64': 'ssh-ed25519 AAAA!!!! x',
      "the documentation's sample, which is damaged":
        'ssh-ed25519 AAAAC3NzaC1lZHRNRPTE5AAAAIDkxja/2VmTEsJDTtf3bI4XYDpb58fvKfSjy7/u8EZeI your_email@gitflic.ru',
      'a private key': '-----BEGIN OPENSSH PRIVATE KEY-----',
    },
    title: { ...ABSENCE, ...TYPES, ...LINES },
    expiresAt: {
      ...TYPES,
      'no date': 'soon',
      past: '2020-10-10T10:10:10Z',
      'a month that does not exist': '2090-13-01',
      'a day that does not exist': '2090-02-30T00:00:00Z',
      'an hour that does not exist': '2090-01-01T24:30:00Z',
      "the documentation's slip": '2090-10-10T10-10-10Z',
      'a year of five digits': '12090-01-01',
      'a date and more': '2090-01-01T00:00:00Z; DROP TABLE users',
      'with NUL': '2090-01-01\u0000',
    },
  },
  'creating an app': {
    name: { ...ABSENCE, ...TYPES, ...LINES },
    description: {
      ...TYPES,
      'over-long': 'x'.repeat(20_000),
      'with NUL': 'a\u0000b',
      'with half a character': 'a\ud800b',
    },
    homepageUrl: { ...ABSENCE, ...TYPES, ...URLS },
    authCallbackUrl: { ...ABSENCE, ...TYPES, ...URLS, 'with a fragment': 'https://example.com/#x' },
    standalone: { 'a number': 1, 'a string': 'true', 'an object': {}, 'a list': [true] },
  },
};
FAULTS['replacing an app'] = FAULTS['creating an app'] as (typeof FAULTS)[string];

const CASES = Object.entries(FAULTS).flatMap(([name, fields]) =>
  Object.entries(fields).flatMap(([field, faults]) =>
    Object.entries(faults).map(([fault, value]) => ({ name, field, fault, value })),
  ),
);

describe('a wrong field', () => {
  it.each(CASES)('is refused by its name: $name, $field $fault', async ({ name, field, value }) => {
    const { request, valid } = REQUESTS[name] as (typeof REQUESTS)[string];
    const { [field]: _, ...rest } = valid();
    const json = value === MISSING ? rest : { ...rest, [field]: value };
    const answer = await expectNothingStored(gateway, () => askGitflic(gateway, request, { token, json }));
    expect(answer.status).toBe(422);
    expect(new Set(fieldsOf(answer))).toEqual(new Set([field]));
    expect(answer.body).toMatchObject({ error: 'Unprocessable Entity', title: 'error.invalidInput' });
  });

  it('is named together with all others of its kind', async () => {
    const json = { description: 1, standalone: 'no' };
    const types = await askGitflic(gateway, 'POST /user/settings/oauth', { token, json });
    expect(fieldsOf(types)).toEqual(['name', 'description', 'homepageUrl', 'authCallbackUrl', 'standalone']);
    const values = await askGitflic(gateway, 'POST /user/settings/oauth', {
      token,
      json: { name: '', homepageUrl: 'x', authCallbackUrl: 'y' },
    });
    expect(new Set(fieldsOf(values))).toEqual(new Set(['name', 'homepageUrl', 'authCallbackUrl']));
  });
});

describe('a wrong body', () => {
  const bodies: Record<string, BodyInit> = {
    empty: '',
    blank: ' \n ',
    'half an object': '{"title":',
    'a comma too many': '{"title":"x",}',
    'single quotes': "{'title':'x'}",
    'a form': 'title=x',
    null: 'null',
    'a list': '[{"title":"x"}]',
    'a string': '"title"',
    'a number': '1',
    'two objects': '{}{}',
    'very deep': '['.repeat(100_000),
    'invalid UTF-8': new Uint8Array([...Buffer.from('{"title":"'), 0xc3, 0x28, ...Buffer.from('"}')]),
    'an overlong encoding': new Uint8Array([...Buffer.from('{"title":"'), 0xc0, 0x80, ...Buffer.from('"}')]),
    'UTF-16': new Uint8Array(Buffer.from('\ufeff{"title":"x"}', 'utf16le')),
    gzip: new Uint8Array([0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0]),
  };

  it.each(Object.entries(bodies))('is refused: %s', async (_kind, body) => {
    for (const { request } of Object.values(REQUESTS)) {
      const answer = await expectNothingStored(gateway, () => askGitflic(gateway, request, { token, body }));
      expect([answer.status, fieldsOf(answer)], request).toEqual([422, ['body']]);
    }
  });

  it.each([
    'text/plain',
    'text/plain; charset=utf-8',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    'application/jsonx',
    'text/json',
    'nonsense',
  ])('of another content type is refused: %s', async (type) => {
    for (const { request, valid } of Object.values(REQUESTS)) {
      const answer = await expectNothingStored(gateway, () =>
        askGitflic(gateway, request, { token, json: valid(), headers: { 'content-type': type } }),
      );
      expect([answer.status, answer.body.title], request).toEqual([415, 'error.unsupportedMediaType']);
    }
  });

  it('over the limit is refused, whether its length is announced or not', async () => {
    const text = JSON.stringify({
      ...newApp,
      description: 'x'.repeat(gateway.runtime.config.limits.bodyBytes),
    });
    const stream = () =>
      new ReadableStream({
        start(controller) {
          for (let at = 0; at < text.length; at += 60_000) {
            controller.enqueue(Buffer.from(text.slice(at, at + 60_000)));
          }
          controller.close();
        },
      });
    for (const { request } of Object.values(REQUESTS)) {
      const [method, path] = request.split(' ') as [string, string];
      const headers = { 'content-type': 'application/json' };
      const announced = { ...headers, 'content-length': String(text.length) };
      await expectNothingStored(gateway, async () => {
        for (const init of [
          { body: text, headers: announced },
          { body: stream(), headers, duplex: 'half' },
        ]) {
          const response = await gateway.fetch(path, { method, token, ...init });
          expect(response.status).toBe(413);
          expect(await response.json()).toMatchObject({
            status: 413,
            error: 'Payload Too Large',
            violations: [],
          });
        }
      });
    }
  });
});

describe('a body that is right', () => {
  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'APPLICATION/JSON',
    'application/hal+json',
  ])('is taken as %s', async (type) => {
    const { request, valid } = REQUESTS['adding a key'] as (typeof REQUESTS)[string];
    const answer = await askGitflic(gateway, request, {
      token,
      json: valid(),
      headers: { 'content-type': type },
    });
    expect(answer.status).toBe(200);
  });

  it('may have fields that the documentation does not name', async () => {
    const json = {
      ...newApp,
      id: 'x',
      clientSecret: 'mine',
      redirectUris: ['https://evil.test'],
      __proto__: { a: 1 },
    };
    const { status, body } = await askGitflic(gateway, 'POST /user/settings/oauth', { token, json });
    expect(status).toBe(200);
    expect(body).toMatchObject(newApp);
    expect(body.clientSecret).not.toBe('mine');
    expect(body.id).not.toBe('x');
  });

  it('may leave out the description and standalone, or say null', async () => {
    const { description: _d, standalone: _s, ...required } = newApp;
    for (const json of [required, { ...required, description: null, standalone: null }]) {
      const { status, body } = await askGitflic(gateway, 'POST /user/settings/oauth', { token, json });
      expect([status, body.description, body.standalone]).toEqual([200, '', false]);
    }
  });

  it.each([
    ['an instant', '2090-10-10T10:10:10Z', '2090-10-10T10:10:10Z'],
    ['an instant with a fraction', '2090-10-10T10:10:10.987Z', '2090-10-10T10:10:10Z'],
    ['a time with an offset', '2090-10-10T10:10:10+03:00', '2090-10-10T07:10:10Z'],
    ['a time without a zone, as UTC', '2090-10-10T10:10:10', '2090-10-10T10:10:10Z'],
    ['a date alone, as its first moment', '2090-10-10', '2090-10-10T00:00:00Z'],
    ['empty, as never', '', null],
    ['null, as never', null, null],
    ['absent, as never', undefined, null],
  ])('may have expiresAt as %s', async (_form, expiresAt, expected) => {
    const json = { publicKey: newPublicKey(), title: 'Laptop', expiresAt };
    const { status, body } = await askGitflic(gateway, 'POST /user/settings/add-ssh-key', { token, json });
    expect([status, body.expiresAt]).toEqual([200, expected]);
  });
});

describe('any JSON at all', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('https://example.com', 'Name', '', '2090-01-01', 'true'),
  );
  const value = fc.oneof(text, fc.jsonValue());
  const body = fc.oneof(
    fc.record(
      {
        publicKey: fc.oneof(
          value,
          fc.constant(0).map(() => newPublicKey()),
        ),
        title: value,
        expiresAt: value,
        name: value,
        description: value,
        homepageUrl: value,
        authCallbackUrl: value,
        standalone: value,
      },
      { requiredKeys: [] },
    ),
    fc.jsonValue(),
  );

  it('is answered with 200 or 422, and stores nothing when it is refused', async () => {
    await fc.assert(
      fc.asyncProperty(body, fc.constantFrom(...Object.keys(FAULTS)), async (json, name) => {
        const { request } = REQUESTS[name] as (typeof REQUESTS)[string];
        // Whatever changes has its row in the audit trail.
        const before = await gateway.runtime.db.auditEvent.count();
        const { status } = await askGitflic(gateway, request, { token, json });
        expect([200, 422]).toContain(status);
        const stored = (await gateway.runtime.db.auditEvent.count()) - before;
        expect(stored, `${name} answered ${status}`).toBe(status === 200 ? 1 : 0);
      }),
      { numRuns: 150 },
    );
  });
});

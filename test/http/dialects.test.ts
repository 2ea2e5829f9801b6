import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../src/app.ts';
import { createPrismaClient, type Database } from '../../src/db/client.ts';
import { useGateway } from '../harness.ts';

// What goes wrong outside of any route is answered as the path's clients know it.

const gateway = useGateway({ env: { MAX_BODY_BYTES: '2000' } });

/** What the body of an error holds, by path. */
const dialects: [path: string, shape: (code: string, status: number) => object][] = [
  [
    '/graphql',
    (code) => ({
      errors: [{ message: expect.any(String), extensions: expect.objectContaining({ code }) }],
    }),
  ],
  ['/api/v2/external-auth/github/device', () => ({ message: expect.any(String) })],
  [
    '/user/settings/add-ssh-key',
    (code, status) => ({
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      status,
      error: expect.any(String),
      title: `error.${code.toLowerCase().replace(/_(.)/g, (_, letter) => letter.toUpperCase())}`,
      message: expect.any(String),
      path: '/user/settings/add-ssh-key',
      violations: [],
    }),
  ],
  [
    '/rest-api/user/settings/oauth',
    (_code, status) => expect.objectContaining({ status, path: '/rest-api/user/settings/oauth' }),
  ],
  [
    '/nowhere',
    (code, status) => ({
      title: expect.any(String),
      status,
      detail: expect.any(String),
      code,
      requestId: expect.any(String),
    }),
  ],
];

describe.each(dialects)('an error at %s', (path, shape) => {
  async function expectProblem(response: Response, status: number, code: string) {
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toMatch(/^application\/(problem\+)?json/);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/);
    const text = await response.text();
    expect(JSON.parse(text)).toEqual(shape(code, status));
    return text;
  }

  it('is 413 for a body with a length over the limit', async () => {
    const headers = { 'content-type': 'application/json', 'content-length': '2001' };
    const response = await gateway.fetch(path, { method: 'POST', headers, body: 'x' });
    await expectProblem(response, 413, 'BODY_TOO_LARGE');
  });

  it('is 413 for a body without a length that goes beyond the limit, and the rest is not read', async () => {
    let sent = 0;
    const body = new ReadableStream({
      pull(controller) {
        sent += 500;
        controller.enqueue(new Uint8Array(500));
      },
    });
    const response = await gateway.fetch(path, { method: 'POST', body, duplex: 'half' } as RequestInit);
    await expectProblem(response, 413, 'BODY_TOO_LARGE');
    expect(sent).toBeLessThan(4_000);
  });

  it('is 403 for a change that another site may have made a browser send', async () => {
    const response = await gateway.fetch(path, {
      method: 'POST',
      headers: {
        cookie: 'gatehouse_session=x',
        'content-type': 'application/json',
        origin: 'https://evil.example',
      },
      body: '{}',
    });
    await expectProblem(response, 403, 'CROSS_SITE_REQUEST');
  });

  describe('while the database is away', () => {
    let db: Database;
    let app: App;
    beforeAll(() => {
      db = createPrismaClient({ connectionString: 'postgres://nobody@127.0.0.1:1/nothing' });
      app = createApp({ ...gateway.runtime, db });
    });
    afterAll(() => db.$disconnect());

    it('is 503 with Retry-After', async () => {
      const headers = { authorization: 'Bearer some-token' };
      const response = await app.fetch(new Request(new URL(path, gateway.origin), { headers }));
      expect(response.headers.get('retry-after')).toBe('5');
      const text = await expectProblem(response, 503, 'SERVICE_UNAVAILABLE');
      expect(text).not.toMatch(/127\.0\.0\.1|prisma|ECONN/i);
    });
  });

  it('is 500 with the id of the request when it is a bug, which is logged and not told', async () => {
    const { token } = await gateway.user();
    const clock = () => {
      throw new TypeError('the clock at /etc/clock fell off the wall');
    };
    let calls = 0;
    // The first call is the one of the authentication; the dialect may tell the time of the error.
    const app = createApp({
      ...gateway.runtime,
      clock: () => {
        calls += 1;
        return calls === 1 ? clock() : new Date();
      },
    });
    const request = new Request(new URL(path, gateway.origin), {
      headers: { authorization: `Bearer ${token}` },
    });
    const response = await app.fetch(request);
    const requestId = response.headers.get('x-request-id') ?? '';
    const text = await expectProblem(response, 500, 'INTERNAL_SERVER_ERROR');
    expect(text).not.toMatch(/clock|wall|\.ts|TypeError/);
    const line = gateway.logLines.find((entry) => entry.includes('fell off the wall')) ?? '';
    expect(gateway.logLines.join('')).toContain(requestId);
    expect(JSON.parse(line).err.stack).toContain('dialects.test.ts');
    if (!path.startsWith('/api/v2')) expect(text).toContain(requestId);
  });
});

describe('a path that nothing is at', () => {
  it('is 404, as JSON for programs', async () => {
    const response = await gateway.fetch('/nowhere');
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ status: 404, code: 'NOT_FOUND' });
  });

  it('is 404, as a page for people', async () => {
    const response = await gateway.fetch('/nowhere', { headers: { accept: 'text/html,*/*;q=0.8' } });
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toMatch(/^text\/html/);
    expect(await response.text()).toContain('<h1>Not Found</h1>');
  });

  it('is 404 below /graphql, as GraphQL has it', async () => {
    const response = await gateway.fetch('/graphql/nowhere');
    expect(response.status).toBe(404);
    expect((await response.json()).errors[0].extensions.code).toBe('NOT_FOUND');
  });
});

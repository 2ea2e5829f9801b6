import { describe, expect, it } from 'vitest';
import { createApp } from '../../src/app.ts';
import { createPrismaClient } from '../../src/db/client.ts';
import { useGateway } from '../harness.ts';

const gateway = useGateway();

/** The line that the log has of a request. */
function lineOf(response: Response) {
  const id = response.headers.get('x-request-id') ?? 'none';
  const line = gateway.logLines.find((text) => text.includes(id) && text.includes('"msg":"request"'));
  return line && JSON.parse(line);
}

describe('every answer', () => {
  it.each(['/', '/login', '/graphql?query={__typename}', '/docs', '/openapi.json', '/healthz', '/nowhere'])(
    'of %s keeps browsers from guessing, framing and telling',
    async (path) => {
      const { headers } = await gateway.fetch(path);
      expect(Object.fromEntries(headers)).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'same-origin',
        'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
        'cache-control': expect.stringMatching(/^no-(store|cache)$/),
      });
      expect(headers.get('strict-transport-security')).toBeNull();
      expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    },
  );

  it("bears the request's id, given or new", async () => {
    const given = await gateway.fetch('/', { headers: { 'x-request-id': 'trace-12345:6.7' } });
    expect(given.headers.get('x-request-id')).toBe('trace-12345:6.7');
    for (const id of ['short', 'with space', 'a'.repeat(129), '{"forged":"line"}']) {
      const response = await gateway.fetch('/', { headers: { 'x-request-id': id } });
      expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    }
  });
});

describe('the log', () => {
  it('has one line for each request, with the route and the user', async () => {
    const { token, id } = await gateway.user();
    const response = await gateway.fetch('/graphql?query={__typename}', { token });
    expect(lineOf(response)).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      pid: process.pid,
      hostname: expect.any(String),
      requestId: response.headers.get('x-request-id'),
      method: 'GET',
      route: '/graphql',
      status: 200,
      ms: expect.any(Number),
      userId: id,
      msg: 'request',
    });
  });

  it('has templates in place of values, and the path of what is unknown', async () => {
    const asset = await gateway.fetch('/graphiql/some-version/some-name');
    expect(lineOf(asset)).toMatchObject({ path: '/graphiql/some-version/some-name', status: 404 });
    expect(lineOf(await gateway.fetch('/docs/'))).toMatchObject({ route: '/docs/', status: 301 });
  });

  it('has nothing of headers, query strings, bodies and tokens', async () => {
    const { token } = await gateway.user();
    const before = gateway.logLines.length;
    await gateway.fetch('/graphql?query={__typename}&code=in-the-query', { token });
    await gateway.fetch(`/nowhere/${token}`, { headers: { 'user-agent': 'in-the-agent' } });
    await gateway.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie: `gatehouse_session=${token}` },
      body: '{"query":"in-the-body"}',
    });
    const text = gateway.logLines.slice(before).join('');
    expect(text).not.toMatch(/in-the-|__typename/);
    expect(text).not.toContain(token.slice(8));
  });
});

describe('health', () => {
  it('is good while the database answers', async () => {
    for (const path of ['/healthz', '/readyz']) {
      const response = await gateway.fetch(path);
      expect([response.status, await response.text()], path).toEqual([200, 'ok']);
    }
  });

  it('of readiness is bad while the database is away; the process itself is well', async () => {
    const db = createPrismaClient({ connectionString: 'postgres://nobody@127.0.0.1:1/nothing' });
    const app = createApp({ ...gateway.runtime, db });
    // A browser's cookie comes along, and must not make the process look dead.
    const ask = (path: string) =>
      app.fetch(new Request(new URL(path, gateway.origin), { headers: { cookie: 'gatehouse_session=x' } }));
    expect((await ask('/healthz')).status).toBe(200);
    const ready = await ask('/readyz');
    expect([ready.status, ready.headers.get('retry-after')]).toEqual([503, '5']);
    await db.$disconnect();
  });

  it('of readiness is bad from the moment that a shutdown begins', async () => {
    const stopping = new AbortController();
    const app = createApp(gateway.runtime, stopping.signal);
    const ask = async (path: string) => (await app.fetch(new Request(new URL(path, gateway.origin)))).status;
    expect(await ask('/readyz')).toBe(200);
    stopping.abort();
    expect(await ask('/readyz')).toBe(503);
    expect(await ask('/healthz')).toBe(200);
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import {
  createApiToken,
  revokeApiToken,
  setUserDisabled,
  systemActor,
} from '../../src/accounts/accounts.service.ts';
import { createApp } from '../../src/app.ts';
import { listen as serve } from '../../src/http/listen.ts';
import { type EventSource, openEvents } from '../graphql/event-source.ts';
import { startGateway, type TestGateway, type TestUser } from '../harness.ts';
import { json, type Stub, startStub } from '../upstream/stub.ts';
import { linkWithTokens, stubEnv } from './link-account.ts';

const CHANGES = `subscription ($providerId: String) {
  externalAuthLinkChanged(providerId: $providerId) {
    providerId
    change
    link { uuid providerId hasRefreshToken refreshFailureReason }
  }
}`;

let stub: Stub;
let gateway: TestGateway;
let close: () => Promise<void>;
const env = () => ({
  ...stubEnv(0, 'forge', stub.origin),
  ...stubEnv(1, 'other', stub.origin),
});

beforeAll(async () => {
  stub = await startStub();
  ({ gateway, close } = await startGateway({ env: env() }));
});
afterAll(async () => {
  await close();
  await stub.close();
});

const opened: EventSource[] = [];
afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(opened.splice(0).map((events) => events.close()));
});

async function listen(
  user: Pick<TestUser, 'token'>,
  providerId?: string,
  at = gateway,
): Promise<EventSource> {
  const events = await openEvents(at, CHANGES, { token: user.token, variables: { providerId } });
  opened.push(events);
  return events;
}

const unlink = (user: TestUser, providerId: string) =>
  gateway.graphql(
    `mutation ($providerId: String!) { unlinkExternalAuth(input: { providerId: $providerId }) { __typename } }`,
    { providerId },
    user.token,
  );
const refresh = (user: TestUser, providerId: string) =>
  gateway.graphql(
    `mutation ($providerId: String!) { refreshExternalAuthLink(input: { providerId: $providerId }) { __typename } }`,
    { providerId },
    user.token,
  );
const changeOf = async (events: EventSource) => (await events.next())?.data.externalAuthLinkChanged;

describe('whoever subscribes', () => {
  it('hears what happens to their links, and sees each as it is then', async () => {
    const user = await gateway.user();
    const events = await listen(user);
    const { id: uuid } = await linkWithTokens(gateway, user, 'forge', { refreshToken: null });
    expect(await changeOf(events)).toEqual({
      providerId: 'forge',
      change: 'LINKED',
      link: { uuid, providerId: 'forge', hasRefreshToken: false, refreshFailureReason: null },
    });
    await linkWithTokens(gateway, user, 'forge');
    expect(await changeOf(events)).toMatchObject({
      change: 'LINKED',
      // Not what was read for the event before.
      link: { uuid, hasRefreshToken: true },
    });

    stub.on(
      'POST /forge/token',
      json({ access_token: 'access-1', refresh_token: 'refresh-1', expires_in: 3_600 }),
    );
    await refresh(user, 'forge');
    expect(await changeOf(events)).toMatchObject({ change: 'REFRESHED', link: { uuid } });

    stub.on('POST /forge/token', json({ error: 'invalid_grant' }, 400));
    await refresh(user, 'forge');
    expect(await changeOf(events)).toMatchObject({
      change: 'BROKEN',
      link: { uuid, hasRefreshToken: false, refreshFailureReason: expect.stringContaining('invalid_grant') },
    });

    await unlink(user, 'forge');
    expect(await changeOf(events)).toEqual({ providerId: 'forge', change: 'UNLINKED', link: null });
  });

  it("hears nothing of another user's links, nor of another provider's when they named one", async () => {
    const [ada, bob] = [await gateway.user(), await gateway.user()];
    const [all, some] = [await listen(ada), await listen(ada, 'other')];
    await linkWithTokens(gateway, bob, 'other');
    await linkWithTokens(gateway, ada, 'forge');
    await linkWithTokens(gateway, ada, 'other');
    const { id } = await gateway.runtime.db.externalAuthLink.findFirstOrThrow({
      where: { userId: ada.id, providerId: 'forge' },
    });
    expect(await changeOf(all)).toMatchObject({ providerId: 'forge', link: { uuid: id } });
    expect(await changeOf(all)).toMatchObject({ providerId: 'other' });
    expect(await changeOf(some)).toMatchObject({ providerId: 'other' });
  });

  it('hears it with several at once, as often as it happens', async () => {
    const user = await gateway.user();
    const streams = [await listen(user), await listen(user)];
    for (let n = 0; n < 5; n++) await linkWithTokens(gateway, user, 'forge');
    for (const events of streams) {
      for (let n = 0; n < 5; n++) expect(await changeOf(events)).toMatchObject({ change: 'LINKED' });
    }
  });

  it('is told at once that the connection works, and again while nothing happens', async () => {
    const user = await gateway.user();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const events = await listen(user);
    expect(events.response.headers.get('cache-control')).toMatch(/no-cache|no-store/);
    const change = changeOf(events);
    await expect.poll(events.heartbeats).toBe(1);
    // Proxies close what has been silent for a minute.
    vi.advanceTimersByTime(12_000);
    await expect.poll(events.heartbeats).toBeGreaterThan(1);
    await linkWithTokens(gateway, user, 'forge');
    expect(await change).toMatchObject({ change: 'LINKED' });
  });

  it('may ask with GET, as an EventSource does', async () => {
    const user = await gateway.user();
    const query = 'subscription { externalAuthLinkChanged { change } }';
    const response = await gateway.fetch(`/graphql?query=${encodeURIComponent(query)}`, {
      token: user.token,
      headers: { accept: 'text/event-stream' },
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe(':\n\n');
    await reader?.cancel();
  });
});

describe('a subscription ends', () => {
  it('with its token, before it tells anything more', async () => {
    const user = await gateway.user();
    const { apiToken, token } = await createApiToken(gateway.runtime, systemActor(user.id), null, {
      name: 'soon revoked',
      scopes: ['external_auth:read'],
    });
    const events = await listen({ token });
    await revokeApiToken(gateway.runtime, systemActor(user.id), apiToken.id);
    await linkWithTokens(gateway, user, 'forge');
    expect(await events.next()).toBeNull();
  });

  it.each<[string, (user: TestUser, tokenId: string) => Promise<unknown> | unknown]>([
    ['was revoked', (user, id) => revokeApiToken(gateway.runtime, systemActor(user.id), id)],
    ['has expired', () => gateway.advance(61_000)],
    ["lost its user's right", ({ username }) => setUserDisabled(gateway.runtime, username, true)],
  ])('within half a minute after its token %s, also when nothing happens', async (_, happen) => {
    const user = await gateway.user();
    const { apiToken, token } = await createApiToken(gateway.runtime, systemActor(user.id), null, {
      name: 'for a minute',
      scopes: ['external_auth:read'],
      expiresAt: new Date(gateway.runtime.clock().getTime() + 60_000),
    });
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const events = await listen({ token });
    vi.advanceTimersByTime(30_000);
    await linkWithTokens(gateway, user, 'forge');
    expect(await changeOf(events)).toMatchObject({ change: 'LINKED' });
    await happen(user, apiToken.id);
    vi.advanceTimersByTime(30_000);
    expect(await events.next()).toBeNull();
  });

  it('not beyond ten of a user, also when they are opened at once', async () => {
    const user = await gateway.user();
    const streams = await Promise.all(Array.from({ length: 15 }, () => listen(user)));
    await linkWithTokens(gateway, user, 'forge');
    const first = await Promise.all(streams.map((events) => events.next()));
    expect(first.filter((answer) => answer?.errors)).toHaveLength(5);
    await Promise.all(streams.map((events) => events.close()));
  });

  it('with the client, whose place is free then', async () => {
    const user = await gateway.user();
    const open = async () => {
      const streams: EventSource[] = [];
      for (let n = 0; n < 10; n++) streams.push(await listen(user));
      return streams;
    };
    const first = await open();
    const refused = await listen(user);
    expect((await refused.next())?.errors).toEqual([
      {
        message: 'You have 10 subscriptions open. Close one before you open another.',
        extensions: { code: 'TOO_MANY_SUBSCRIPTIONS' },
      },
    ]);
    // It is another user's business.
    const other = await gateway.user();
    const others = await listen(other);
    await linkWithTokens(gateway, other, 'forge');
    expect(await changeOf(others)).toMatchObject({ change: 'LINKED' });

    await Promise.all(first.map((events) => events.close()));
    const again = await open();
    await linkWithTokens(gateway, user, 'forge');
    for (const events of again) expect(await changeOf(events)).toMatchObject({ change: 'LINKED' });
  });

  it('with the server, and none is opened any more', async () => {
    const { gateway: other, close: closeOther } = await startGateway({ env: env() });
    const user = await other.user();
    const events = await listen(user, undefined, other);
    other.stop();
    expect(await events.next()).toBeNull();
    const late = await listen(user, undefined, other);
    expect((await late.next())?.errors?.[0].extensions.code).toBe('SERVICE_UNAVAILABLE');
    await closeOther();
  });
});

describe('over a socket', () => {
  it('a client that hangs up gives its place back, and a shutdown does not wait for the others', async () => {
    const user = await gateway.user();
    const stopping = new AbortController();
    const app = createApp(gateway.runtime, stopping.signal);
    const listener = await serve({ ...gateway.runtime.config.http, host: '127.0.0.1', port: 0 }, app.fetch);
    const open = async () => {
      const aborter = new AbortController();
      const response = await fetch(`http://127.0.0.1:${listener.port}/graphql`, {
        method: 'POST',
        signal: aborter.signal,
        headers: {
          authorization: `Bearer ${user.token}`,
          'content-type': 'application/json',
          accept: 'text/event-stream',
        },
        body: JSON.stringify({ query: CHANGES }),
      });
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      const readUntil = async (pattern: RegExp) => {
        let text = '';
        for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
          text += part.value;
          const [found] = pattern.exec(text) ?? [];
          if (found) return found;
        }
        return 'the end';
      };
      return { hangUp: () => aborter.abort(), readUntil };
    };
    const tryAnother = async () => {
      const { readUntil, hangUp } = await open();
      await linkWithTokens(gateway, user, 'forge');
      const found = await readUntil(/LINKED|TOO_MANY_SUBSCRIPTIONS/);
      hangUp();
      return found;
    };
    const clients = await Promise.all(Array.from({ length: 10 }, open));
    expect(await tryAnother()).toBe('TOO_MANY_SUBSCRIPTIONS');
    for (const { hangUp } of clients) hangUp();
    await expect.poll(tryAnother, { timeout: 10_000 }).toBe('LINKED');

    const last = await open();
    stopping.abort();
    expect(await last.readUntil(/event: complete/)).toBe('event: complete');
    expect(await listener.close(10_000)).toBe(0);
  });
});

describe('a subscription is refused', () => {
  it.each<[string, string | undefined, string]>([
    ['without a token', undefined, 'UNAUTHENTICATED'],
    ['without the scope external_auth:read', 'ssh_keys:read', 'FORBIDDEN'],
  ])('%s', async (_, scope, code) => {
    const token = scope && (await gateway.user([scope as 'ssh_keys:read'])).token;
    const events = await openEvents(gateway, CHANGES, { token });
    opened.push(events);
    expect((await events.next())?.errors?.[0].extensions.code).toBe(code);
    expect(await events.next()).toBeNull();
  });

  it('when it asks for too much', async () => {
    const user = await gateway.user();
    const deep = `${'provider { link { '.repeat(8)}uuid${' } }'.repeat(8)}`;
    const events = await openEvents(
      gateway,
      `subscription { externalAuthLinkChanged { link { ${deep} } } }`,
      user,
    ).catch(() => null);
    const answer = await events?.next();
    expect(answer?.errors?.[0].extensions).toMatchObject({ code: 'LIMIT_EXCEEDED', limit: 'depth' });
    await events?.close();
  });

  it('as JSON, also in a document whose query has run before', async () => {
    const user = await gateway.user();
    const query = 'query A { viewer { uuid } } subscription B { externalAuthLinkChanged { change } }';
    const ask = (operationName: string) =>
      gateway.fetch('/graphql', {
        method: 'POST',
        token: user.token,
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify({ query, operationName }),
      });
    for (let n = 0; n < 3; n++) expect((await ask('A')).status).toBe(200);
    const response = await ask('B');
    expect(response.status).toBe(406);
    await response.body?.cancel();
  });
});

// An embedded database has one process.
if (inject('databaseTemplate').kind === 'server') {
  it('tells what another process did', async () => {
    const { gateway: replica, close: closeReplica } = await startGateway({ env: env(), beside: gateway });
    try {
      const user = await gateway.user();
      const events = await listen(user, undefined, replica);
      const isListening = async () => {
        const found = await gateway.runtime.db.$queryRaw<unknown[]>`
          SELECT 1 FROM pg_stat_activity WHERE query = 'LISTEN gatehouse' AND datname = current_database()`;
        return found.length > 0;
      };
      await expect.poll(isListening, { timeout: 10_000 }).toBe(true);
      await linkWithTokens(gateway, user, 'forge');
      expect(await changeOf(events)).toMatchObject({ change: 'LINKED', link: { providerId: 'forge' } });
      await unlink(user, 'forge');
      expect(await changeOf(events)).toEqual({ providerId: 'forge', change: 'UNLINKED', link: null });
      await events.close();
    } finally {
      await closeReplica();
    }
  });
}

import { afterAll, describe, expect, it } from 'vitest';
import { expectNothingStored } from '../database-dump.ts';
import { type TestUser, useGateway } from '../harness.ts';
import { startUpstream } from '../upstream/oidc.ts';
import { askCoder, NOT_FOUND } from './coder-client.ts';
import { linkByDevice } from './coder-link.ts';

const upstream = await startUpstream();
/** A second one, which a test takes away. */
const doomed = await startUpstream();
afterAll(() => Promise.all([upstream.close(), doomed.close()]));

const gateway = useGateway({
  env: {
    ...upstream.env(0, 'forge', { REGEX: 'git\\.example', EXTRA_TOKEN_KEYS: 'token_type nothing_like_it' }),
    ...upstream.env(1, 'forge-acme', { REGEX: 'git\\.example/acme' }),
    ...doomed.env(2, 'doomed', { REGEX: 'doomed\\.example' }),
  },
});

const PATH = '/workspaceagents/me/external-auth';

/** A user with a linked account, and the token of a machine that may do no more than this. */
async function machine(provider = 'forge', at = upstream): Promise<TestUser> {
  const user = await gateway.user(['external_auth:token', 'external_auth:write']);
  await linkByDevice(gateway, at, user.token, provider);
  return user;
}

const handOuts = (user: TestUser) =>
  gateway.runtime.db.auditEvent.findMany({
    where: { userId: user.id, action: 'external_auth.token_handed_out' },
  });

async function worksUpstream(accessToken: string): Promise<boolean> {
  const response = await fetch(`${upstream.issuer}/me`, {
    headers: { authorization: `Bearer ${accessToken}` },
  });
  return response.status === 200;
}

describe('GET /workspaceagents/me/external-auth', () => {
  it.each([
    '?id=forge',
    '?match=https%3A%2F%2Fgit.example%2Fgrace%2Fsite.git',
    '?match=git.example',
    '?id=forge&match=',
  ])('hands out a token that works: %s', async (query) => {
    const user = await machine();
    const { status, body } = await askCoder(gateway, `GET ${PATH}${query}`, { token: user.token });
    expect(status).toBe(200);
    expect(body).toEqual({
      access_token: expect.stringMatching(/.{20}/),
      token_extra: { token_type: 'Bearer' },
      url: '',
      type: 'oidc',
      username: body.access_token,
      password: '',
    });
    expect(await worksUpstream(body.access_token)).toBe(true);
  });

  it('needs no other scope, and takes a trailing slash', async () => {
    const { token } = await gateway.user(['external_auth:token']);
    const { status } = await askCoder(gateway, `GET ${PATH}/?id=forge`, { token });
    expect(status).toBe(200);
  });

  it('takes the most specific provider that serves the URL', async () => {
    const { token } = await gateway.user(['external_auth:token']);
    const ask = (match: string) =>
      askCoder(gateway, `GET ${PATH}?match=${encodeURIComponent(match)}`, { token });
    expect((await ask('https://git.example/acme/site')).body.url).toBe(
      `${gateway.origin}/external-auth/forge-acme`,
    );
    expect((await ask('https://git.example/grace/site')).body.url).toBe(
      `${gateway.origin}/external-auth/forge`,
    );
  });

  it('says only where to link when the account is not linked, and audits nothing', async () => {
    const { token } = await gateway.user(['external_auth:token']);
    const { status, body } = await expectNothingStored(gateway, () =>
      askCoder(gateway, `GET ${PATH}?id=forge`, { token }),
    );
    expect(status).toBe(200);
    expect(body).toEqual({ url: `${gateway.origin}/external-auth/forge` });
  });

  it("does not hand out a stranger's token", async () => {
    await machine();
    const { token } = await gateway.user(['external_auth:token']);
    const { body } = await askCoder(gateway, `GET ${PATH}?id=forge`, { token });
    expect(Object.keys(body)).toEqual(['url']);
  });

  it('renews a token that has expired', async () => {
    const user = await machine();
    const first = await askCoder(gateway, `GET ${PATH}?id=forge`, { token: user.token });
    gateway.advance(3_700_000);
    const asked = upstream.count();
    const second = await askCoder(gateway, `GET ${PATH}?id=forge`, { token: user.token });
    expect(upstream.count()).toBe(asked + 1);
    expect(second.body.access_token).not.toBe(first.body.access_token);
    expect(await worksUpstream(second.body.access_token)).toBe(true);
  });

  it('says only where to link when the provider no longer takes the token', async () => {
    const user = await machine();
    const { body } = await askCoder(gateway, `GET ${PATH}?id=forge`, { token: user.token });
    await fetch(`${upstream.issuer}/token/revocation`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${upstream.clientId}:${upstream.clientSecret}`).toString('base64')}`,
      },
      body: new URLSearchParams({ token: body.access_token }),
    });
    // A provider's last word on a token is believed for a while.
    gateway.advance(600_000);
    const again = await askCoder(gateway, `GET ${PATH}?id=forge`, { token: user.token });
    expect(again.status).toBe(200);
    expect(again.body).toEqual({ url: `${gateway.origin}/external-auth/forge` });
  });

  it('answers 502 when an expired token cannot be renewed for now', async () => {
    const user = await machine('doomed', doomed);
    await doomed.close();
    gateway.advance(3_700_000);
    const { status, body } = await askCoder(gateway, `GET ${PATH}?id=doomed`, { token: user.token });
    expect(status).toBe(502);
    expect(body).toEqual({ message: expect.any(String) });
  });

  it.each([
    ['neither match nor id', ''],
    ['both', '?id=forge&match=git.example'],
    ['empty ones', '?id=&match='],
  ])('answers 400 to %s, and names both', async (_what, query) => {
    const { token } = await gateway.user(['external_auth:token']);
    const { status, body } = await expectNothingStored(gateway, () =>
      askCoder(gateway, `GET ${PATH}${query}`, { token }),
    );
    expect(status).toBe(400);
    expect(body.validations.map(({ field }: { field: string }) => field)).toEqual(['match', 'id']);
  });

  it.each([
    '?id=nowhere',
    '?id=FORGE',
    '?id=forge%00',
    `?id=${'x'.repeat(5_000)}`,
    '?match=elsewhere.example',
    '?match=%00%ff',
    `?match=${'git.example/'.repeat(500)}`,
  ])('answers 404 when no provider is meant: %s', async (query) => {
    const { token } = await gateway.user(['external_auth:token']);
    const { status, body } = await expectNothingStored(gateway, () =>
      askCoder(gateway, `GET ${PATH}${query}`, { token }),
    );
    expect({ status, body }).toEqual({ status: 404, body: NOT_FOUND });
  });

  it('answers 403 without the scope, whatever else the token may do', async () => {
    const { token } = await gateway.user(['external_auth:write', 'user:read', 'ssh_keys:write']);
    const { status, body } = await askCoder(gateway, `GET ${PATH}?id=forge`, { token });
    expect(status).toBe(403);
    expect(body.message).toContain('external_auth:token');
  });

  it('answers 401 without a token, whatever is asked', async () => {
    for (const query of ['', '?id=forge', '?id=nowhere']) {
      expect((await askCoder(gateway, `GET ${PATH}${query}`)).status).toBe(401);
    }
  });
});

describe('the audit trail', () => {
  it('has a row for each token that is handed out, without the token', async () => {
    const user = await machine();
    const { body } = await askCoder(gateway, `GET ${PATH}?id=forge`, { token: user.token });
    await askCoder(gateway, `GET ${PATH}?match=git.example`, { token: user.token });
    const rows = await handOuts(user);
    expect(rows).toHaveLength(2);
    for (const row of rows) {
      expect(row).toMatchObject({
        tokenId: expect.any(String),
        requestId: expect.any(String),
        targetType: 'external_auth_link',
        details: { providerId: 'forge' },
      });
      expect(JSON.stringify(row)).not.toContain(body.access_token);
    }
  });

  it('comes first: no row, no token', async () => {
    const user = await machine();
    const { db } = gateway.runtime;
    await db.$executeRaw`
      ALTER TABLE audit_events ADD CONSTRAINT no_hand_outs
      CHECK (action <> 'external_auth.token_handed_out') NOT VALID`;
    try {
      const { status, body } = await askCoder(gateway, `GET ${PATH}?id=forge`, { token: user.token });
      expect(status).toBe(500);
      expect(body).toEqual({ message: expect.any(String), detail: expect.stringContaining('request id') });
    } finally {
      await db.$executeRaw`ALTER TABLE audit_events DROP CONSTRAINT no_hand_outs`;
    }
    expect(await handOuts(user)).toEqual([]);
  });
});

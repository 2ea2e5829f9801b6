import { afterAll, describe, expect, it } from 'vitest';
import { openTokens } from '../../src/external-auth/link-store.ts';
import { type TestUser, useGateway } from '../harness.ts';
import { json, startStub } from '../upstream/stub.ts';
import { openBrowser } from './flow-browser.ts';
import { stubEnv } from './link-account.ts';

// A code serves once. Between the provider's answer and our write this process holds the only copy of the tokens.

const stub = await startStub();
afterAll(() => stub.close());

const gateway = useGateway({
  env: stubEnv(0, 'forge', stub.origin, {
    DEVICE_FLOW: 'true',
    DEVICE_CODE_URL: `${stub.origin}/forge/device`,
  }),
});

/** Codes that the provider has taken. A second time it refuses. */
const used = new Set<string>();
stub.on('POST /forge/token', (response, request) => {
  const code = request.form.code ?? request.form.device_code ?? '';
  if (used.has(code)) return json({ error: 'invalid_grant' }, 400)(response, request);
  used.add(code);
  json({ access_token: `access for ${code}`, refresh_token: `refresh for ${code}` })(response, request);
});
stub.on('POST /forge/device', (response, request) =>
  json({
    device_code: `device-${stub.requests.length}`,
    user_code: 'WDJB-MJHT',
    verification_uri: `${stub.origin}/activate`,
    expires_in: 900,
  })(response, request),
);

/** How both flows end: with what the person is told. */
const flows: Record<string, (user: TestUser) => Promise<{ code: string; linked: boolean; said: string }>> = {
  'the web flow': async (user) => {
    const browser = openBrowser(gateway);
    await browser.signIn(user);
    const { url } = await browser.visit('/external-auth/forge');
    const code = `code-of-${user.username}`;
    const back = new URL(url.searchParams.get('redirect_uri') ?? '');
    back.search = new URLSearchParams({ state: url.searchParams.get('state') ?? '', code }).toString();
    const page = await browser.visit(back);
    return { code, linked: page.status < 400, said: `${page.status} ${page.text}` };
  },
  'the device flow': async ({ token }) => {
    const started = await gateway.graphql(
      `mutation { startExternalAuthDevice(input: { providerId: "forge" }) {
        ... on StartExternalAuthDevicePayload { device { deviceCode } } } }`,
      {},
      token,
    );
    const code: string = started.data.startExternalAuthDevice.device.deviceCode;
    const { data, errors, status } = await gateway.graphql(
      `mutation ($deviceCode: String!) {
        exchangeExternalAuthDevice(input: { providerId: "forge", deviceCode: $deviceCode }) { __typename } }`,
      { deviceCode: code },
      token,
    );
    const linked = data?.exchangeExternalAuthDevice?.__typename === 'ExchangeExternalAuthDevicePayload';
    return { code, linked, said: `${status} ${JSON.stringify(errors)}` };
  },
};

/** Lets writes of links fail, so many times, as they do on a server that is out of connections. */
async function withFailingWrites<Result>(times: number, work: () => Promise<Result>): Promise<Result> {
  const { db } = gateway.runtime;
  await db.$executeRaw`CREATE SEQUENCE failed_writes`;
  await db.$executeRawUnsafe(`
    CREATE FUNCTION fail_at_first() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('failed_writes') <= ${times} THEN RAISE EXCEPTION 'no more' USING ERRCODE = '53300'; END IF;
      RETURN NEW;
    END $$`);
  await db.$executeRaw`
    CREATE TRIGGER fail_at_first BEFORE INSERT OR UPDATE ON external_auth_links
    FOR EACH ROW EXECUTE FUNCTION fail_at_first()`;
  try {
    return await work();
  } finally {
    await db.$executeRaw`DROP FUNCTION fail_at_first CASCADE`;
    await db.$executeRaw`DROP SEQUENCE failed_writes`;
  }
}

const writes = async () => {
  const [row] = await gateway.runtime.db.$queryRaw<
    { writes: number }[]
  >`SELECT last_value::int AS writes FROM failed_writes`;
  return row?.writes;
};

describe.each(Object.entries(flows))('what %s brought', (_, link) => {
  it('is kept while the database is away for a moment, without asking the provider again', async () => {
    const user = await gateway.user();
    const before = stub.count('POST /forge/token');
    const { code, linked } = await withFailingWrites(2, async () => {
      const outcome = await link(user);
      expect(await writes()).toBe(3);
      return outcome;
    });
    expect(linked).toBe(true);
    expect(stub.count('POST /forge/token') - before).toBe(1);
    const row = await gateway.runtime.db.externalAuthLink.findFirstOrThrow({ where: { userId: user.id } });
    expect(openTokens(gateway.runtime.keyring, row)).toMatchObject({
      accessToken: `access for ${code}`,
      refreshToken: `refresh for ${code}`,
    });
    // One link, one row of the audit trail: a write that failed left nothing behind.
    const { auditEvent } = gateway.runtime.db;
    expect(await auditEvent.count({ where: { userId: user.id, action: 'external_auth.link' } })).toBe(1);
  });

  it('is lost with a database that stays away, which is said, and linking again helps', async () => {
    const user = await gateway.user();
    const { linked, said } = await withFailingWrites(1_000, async () => {
      const outcome = await link(user);
      expect(await writes()).toBe(5);
      return outcome;
    });
    expect(linked).toBe(false);
    expect(said).toMatch(/^503 /);
    expect(said).not.toMatch(/access for|refresh for/);
    expect(await gateway.runtime.db.externalAuthLink.count({ where: { userId: user.id } })).toBe(0);
    used.clear();
    expect((await link(user)).linked).toBe(true);
  });
});

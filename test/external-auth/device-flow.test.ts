import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayOptions, startGateway, type TestGateway, type TestUser } from '../harness.ts';
import { type GitHubStub, startGitHub } from '../upstream/github.ts';
import { startUpstream, type Upstream } from '../upstream/oidc.ts';
import { type Behaviour, cut, json, late, type Stub, startStub, status } from '../upstream/stub.ts';
import { stubEnv } from './link-account.ts';

const START = `mutation ($providerId: String!) {
  startExternalAuthDevice(input: { providerId: $providerId }) {
    __typename
    ... on StartExternalAuthDevicePayload {
      device { deviceCode userCode verificationUri verificationUriComplete expiresIn interval }
    }
    ... on UserError { code message path }
  }
}`;

const EXCHANGE = `mutation ($providerId: String!, $deviceCode: String) {
  exchangeExternalAuthDevice(input: { providerId: $providerId, deviceCode: $deviceCode }) {
    __typename
    ... on ExchangeExternalAuthDevicePayload { link { uuid providerId hasRefreshToken } }
    ... on UserError { code message path }
    ... on ExternalAuthDeviceRefused { oauthError }
    ... on ExternalAuthProviderFailure { transient }
    ... on InvalidInput { issues { path } }
  }
}`;

interface Device {
  deviceCode: string;
  userCode: string;
  verificationUri: string;
  verificationUriComplete: string | null;
  expiresIn: number;
  interval: number;
}

/** How a provider grants, as one that follows RFC 8628 does. */
const granted = json({ access_token: 'access-of-the-stub', refresh_token: 'refresh-of-the-stub' });
const refused = (error: string, code = 400): Behaviour => json({ error }, code);

let upstream: Upstream;
let github: GitHubStub;
let stub: Stub;
let gateway: TestGateway;
let close: () => Promise<void>;

const open = (more: GatewayOptions = {}) =>
  startGateway({
    ...more,
    env: {
      ...upstream.env(0, 'oidc'),
      ...github.env(1, 'github'),
      ...stubEnv(2, 'stub', stub.origin, {
        TOKEN_URL: `${stub.origin}/token`,
        DEVICE_CODE_URL: `${stub.origin}/device`,
        DEVICE_FLOW: 'true',
      }),
      ...upstream.env(3, 'web-only', { DEVICE_FLOW: 'false' }),
    },
  });

beforeAll(async () => {
  [upstream, github, stub] = await Promise.all([startUpstream(), startGitHub(), startStub()]);
  ({ gateway, close } = await open());
});
afterAll(async () => {
  await close();
  await Promise.all([upstream.close(), github.close(), stub.close()]);
});

async function start(user: TestUser, providerId: string): Promise<Device> {
  const { data, errors } = await gateway.graphql(START, { providerId }, user.token);
  expect(errors).toBeUndefined();
  expect(data.startExternalAuthDevice).toMatchObject({ __typename: 'StartExternalAuthDevicePayload' });
  return data.startExternalAuthDevice.device;
}

async function exchange(user: TestUser, providerId: string, deviceCode?: string | null) {
  const { data, errors } = await gateway.graphql(EXCHANGE, { providerId, deviceCode }, user.token);
  expect(errors).toBeUndefined();
  return data.exchangeExternalAuthDevice;
}

const isRefused = (oauthError: string) => ({
  __typename: 'ExternalAuthDeviceRefused',
  code: 'EXTERNAL_AUTH_DEVICE_REFUSED',
  oauthError,
});
const isLinked = (providerId: string) => ({
  __typename: 'ExchangeExternalAuthDevicePayload',
  link: { providerId },
});
const pendingOf = (user: TestUser) =>
  gateway.runtime.db.deviceAuthorization.findMany({
    where: { userId: user.id },
    orderBy: { createdAt: 'asc' },
  });
const linksOf = (user: TestUser) =>
  gateway.runtime.db.externalAuthLink.findMany({ where: { userId: user.id } });
/** A code of the stub's, which is new each time. */
let codes = 0;
async function startAtStub(user: TestUser, more: object = {}): Promise<Device> {
  codes += 1;
  stub.on(
    'POST /device',
    json({
      device_code: `device-code-${codes}`,
      user_code: 'WDJB-MJHT',
      verification_uri: `${stub.origin}/activate`,
      expires_in: 900,
      interval: 5,
      ...more,
    }),
  );
  return start(user, 'stub');
}

describe('linking by a code', () => {
  it('shows what the person needs, and links once they have approved', async () => {
    const user = await gateway.user();
    const device = await start(user, 'oidc');
    expect(device).toEqual({
      deviceCode: expect.stringMatching(/.{20}/),
      userCode: expect.stringMatching(/^\w{4}-\w{4}$/),
      verificationUri: `${upstream.issuer}/device`,
      verificationUriComplete: `${upstream.issuer}/device?user_code=${device.userCode}`,
      expiresIn: 600,
      interval: 5,
    });
    expect(await exchange(user, 'oidc', device.deviceCode)).toMatchObject({
      ...isRefused('authorization_pending'),
      message: 'The sign-in has not been approved yet. Ask again after the interval.',
      path: ['input', 'deviceCode'],
    });
    await upstream.approveDevice(device.verificationUriComplete ?? '');
    gateway.advance(5_000);
    expect(await exchange(user, 'oidc', device.deviceCode)).toMatchObject({
      ...isLinked('oidc'),
      link: { hasRefreshToken: true },
    });
    expect(await pendingOf(user)).toEqual([]);

    // A code serves once.
    const before = upstream.count();
    expect(await exchange(user, 'oidc', device.deviceCode)).toMatchObject(isRefused('expired_token'));
    expect(upstream.count()).toBe(before);
    expect(await linksOf(user)).toHaveLength(1);
    const audits = await gateway.runtime.db.auditEvent.findMany({
      where: { userId: user.id, action: 'external_auth.link' },
    });
    expect(audits).toHaveLength(1);
    expect(audits[0]?.tokenId).not.toBeNull();
  });

  it('links with GitHub, whose errors have status 200', async () => {
    const user = await gateway.user();
    const device = await start(user, 'github');
    expect(device).toMatchObject({ userCode: 'WDJB-MJHT', verificationUriComplete: null, interval: 5 });
    expect(await exchange(user, 'github', device.deviceCode)).toMatchObject(
      isRefused('authorization_pending'),
    );
    github.approveDevices();
    gateway.advance(5_000);
    expect(await exchange(user, 'github', device.deviceCode)).toMatchObject(isLinked('github'));
  });

  it('without a code takes the one that was started last', async () => {
    const user = await gateway.user();
    const first = await start(user, 'oidc');
    gateway.advance(1);
    const last = await start(user, 'oidc');
    expect(await pendingOf(user)).toHaveLength(2);
    await upstream.approveDevice(last.verificationUriComplete ?? '');
    expect(await exchange(user, 'oidc')).toMatchObject(isLinked('oidc'));
    // The other one waits all the same.
    expect(await exchange(user, 'oidc', null)).toMatchObject(isRefused('authorization_pending'));
    gateway.advance(5_000);
    expect(await exchange(user, 'oidc', first.deviceCode)).toMatchObject(isRefused('authorization_pending'));
  });

  it('without a code says so when none waits', async () => {
    const user = await gateway.user();
    await start(user, 'github');
    expect(await exchange(user, 'oidc')).toMatchObject({
      ...isRefused('expired_token'),
      message:
        'No sign-in with a code waits at this provider: it has expired, was used, or was not started. Start again.',
    });
  });

  it('keeps several codes of one user apart, and not more than twenty', async () => {
    const user = await gateway.user();
    const devices: Device[] = [];
    for (let n = 0; n < 21; n++) devices.push(await startAtStub(user));
    const pending = await pendingOf(user);
    expect(pending).toHaveLength(20);
    stub.on('POST /token', granted);
    expect(await exchange(user, 'stub', devices[0]?.deviceCode)).toMatchObject(isRefused('expired_token'));
    expect(await exchange(user, 'stub', devices[7]?.deviceCode)).toMatchObject(isLinked('stub'));
    expect(stub.requests.at(-1)?.form.device_code).toBe(devices[7]?.deviceCode);
    expect(await pendingOf(user)).toHaveLength(19);
  });

  it('keeps device codes encrypted, and out of the log', async () => {
    const user = await gateway.user();
    const { deviceCode } = await start(user, 'oidc');
    await exchange(user, 'oidc', deviceCode);
    const [row] = await pendingOf(user);
    expect(row?.deviceCode).toMatch(/^v1\./);
    expect(gateway.logLines.join('')).not.toContain(deviceCode);
  });
});

describe("a device code of another user's", () => {
  it('is as unknown as one that nobody has', async () => {
    const [ada, bob] = [await gateway.user(), await gateway.user()];
    const device = await start(ada, 'oidc');
    await upstream.approveDevice(device.verificationUriComplete ?? '');
    const before = upstream.count();
    const foreign = await exchange(bob, 'oidc', device.deviceCode);
    expect(foreign).toMatchObject(isRefused('expired_token'));
    expect(foreign).toEqual(await exchange(bob, 'oidc', 'nobody-has-this'));
    expect(await exchange(bob, 'oidc')).toMatchObject(isRefused('expired_token'));
    expect(upstream.count()).toBe(before);
    // It serves its owner, and at its own provider only.
    expect(await exchange(ada, 'stub', device.deviceCode)).toMatchObject(isRefused('expired_token'));
    expect(await exchange(ada, 'oidc', device.deviceCode)).toMatchObject(isLinked('oidc'));
    expect(await linksOf(bob)).toEqual([]);
  });
});

describe('the pace', () => {
  it('is ours: who asks too soon is told to slow down without the provider being asked', async () => {
    const user = await gateway.user();
    const { deviceCode } = await startAtStub(user);
    stub.on('POST /token', refused('authorization_pending'));
    const ask = () => exchange(user, 'stub', deviceCode);
    const asked = stub.count('POST /token');
    expect(await ask()).toMatchObject(isRefused('authorization_pending'));
    gateway.advance(1_000);
    expect(await ask()).toMatchObject({
      ...isRefused('slow_down'),
      message: 'This was asked too soon. Wait 5 seconds longer from now on.',
    });
    expect(stub.count('POST /token')).toBe(asked + 1);
    // 7 seconds since the provider was asked, and the interval is 10 now.
    gateway.advance(6_000);
    expect(await ask()).toMatchObject(isRefused('slow_down'));
    // 16 seconds, and the interval is 15.
    gateway.advance(9_000);
    expect(await ask()).toMatchObject(isRefused('authorization_pending'));
    expect(stub.count('POST /token')).toBe(asked + 2);
    // It stays so.
    gateway.advance(10_000);
    expect(await ask()).toMatchObject(isRefused('slow_down'));
    gateway.advance(10_000);
    expect(await ask()).toMatchObject(isRefused('authorization_pending'));
    expect(stub.count('POST /token')).toBe(asked + 3);
  });

  it('slows down with the provider', async () => {
    const user = await gateway.user();
    const { deviceCode } = await startAtStub(user);
    stub.on('POST /token', refused('slow_down'), granted);
    expect(await exchange(user, 'stub', deviceCode)).toMatchObject(isRefused('slow_down'));
    const [row] = await pendingOf(user);
    expect(row?.interval).toBe(10);
    const asked = stub.count('POST /token');
    gateway.advance(6_000);
    expect(await exchange(user, 'stub', deviceCode)).toMatchObject(isRefused('slow_down'));
    expect(stub.count('POST /token')).toBe(asked);
    gateway.advance(9_000);
    expect(await exchange(user, 'stub', deviceCode)).toMatchObject(isLinked('stub'));
  });

  it('lets even a client that never waits come to its end', async () => {
    const user = await gateway.user();
    const { deviceCode } = await startAtStub(user);
    stub.on('POST /token', refused('authorization_pending'), granted);
    await exchange(user, 'stub', deviceCode);
    let last: { __typename?: string } = {};
    for (let n = 0; n < 70 && last.__typename !== 'ExchangeExternalAuthDevicePayload'; n++) {
      gateway.advance(1_000);
      last = await exchange(user, 'stub', deviceCode);
    }
    expect(last).toMatchObject(isLinked('stub'));
  });

  it('holds with many at once: the provider is asked once', async () => {
    const user = await gateway.user();
    const { deviceCode } = await startAtStub(user);
    stub.on('POST /token', late(50, refused('authorization_pending')));
    const asked = stub.count('POST /token');
    const answers = await Promise.all(Array.from({ length: 8 }, () => exchange(user, 'stub', deviceCode)));
    expect(stub.count('POST /token')).toBe(asked + 1);
    expect(answers.map((answer) => answer.oauthError).sort()).toEqual([
      'authorization_pending',
      ...Array(7).fill('slow_down'),
    ]);
  });

  it('takes the interval of RFC 8628 where the provider names none', async () => {
    expect(await startAtStub(await gateway.user(), { interval: undefined })).toMatchObject({ interval: 5 });
  });

  it('never lets the provider be asked before its time, whatever the client does', async () => {
    const user = await gateway.user();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 10 }),
        async (waits, interval) => {
          const { deviceCode } = await startAtStub(user, { interval });
          stub.on('POST /token', refused('authorization_pending'));
          let lastAsked = Number.NEGATIVE_INFINITY;
          for (const wait of waits) {
            gateway.advance(wait);
            const asked = stub.count('POST /token');
            const before = gateway.runtime.clock().getTime();
            const { oauthError } = await exchange(user, 'stub', deviceCode);
            const isAsked = stub.count('POST /token') > asked;
            expect(oauthError).toBe(isAsked ? 'authorization_pending' : 'slow_down');
            if (!isAsked) continue;
            // The calls themselves take time, which the clock counts, too.
            expect(gateway.runtime.clock().getTime() - lastAsked).toBeGreaterThanOrEqual(interval * 1_000);
            lastAsked = before;
          }
        },
      ),
      { numRuns: 15 },
    );
  });
});

describe('two exchanges of a granted code at once', () => {
  it('make one link, and the other hears a clear answer', async () => {
    const user = await gateway.user();
    const device = await start(user, 'oidc');
    await upstream.approveDevice(device.verificationUriComplete ?? '');
    const before = upstream.count();
    const answers = await Promise.all([
      exchange(user, 'oidc', device.deviceCode),
      exchange(user, 'oidc', device.deviceCode),
    ]);
    const [won, ...others] = answers.sort((a, b) => a.__typename.localeCompare(b.__typename));
    expect(won).toMatchObject(isLinked('oidc'));
    expect(others).toEqual([expect.objectContaining({ __typename: 'ExternalAuthDeviceRefused' })]);
    expect(['slow_down', 'expired_token']).toContain(others[0].oauthError);
    expect(upstream.count()).toBe(before + 1);
    expect(await linksOf(user)).toHaveLength(1);
    expect(await pendingOf(user)).toEqual([]);
  });
});

describe('the end of a code', () => {
  it('is known to us: the provider is not asked', async () => {
    const user = await gateway.user();
    const { deviceCode, expiresIn } = await startAtStub(user);
    stub.on('POST /token', granted);
    const asked = stub.count('POST /token');
    gateway.advance(expiresIn * 1_000);
    expect(await exchange(user, 'stub', deviceCode)).toMatchObject(isRefused('expired_token'));
    expect(stub.count('POST /token')).toBe(asked);
    expect(await pendingOf(user)).toEqual([]);
  });

  it('comes after a day at the latest', async () => {
    const device = await startAtStub(await gateway.user(), { expires_in: 1e12, interval: 1e12 });
    expect(device).toMatchObject({ expiresIn: 86_400, interval: 86_400 });
  });

  it('is cleaned up after, also where nobody asks again', async () => {
    const [ada, bob] = [await gateway.user(), await gateway.user()];
    await startAtStub(ada, { expires_in: 60 });
    gateway.advance(61_000);
    await startAtStub(bob);
    expect(await pendingOf(ada)).toEqual([]);
    expect(await pendingOf(bob)).toHaveLength(1);
  });

  it('is what the person says', async () => {
    const user = await gateway.user();
    const device = await start(user, 'oidc');
    await upstream.denyDevice(device.verificationUriComplete ?? '');
    expect(await exchange(user, 'oidc', device.deviceCode)).toMatchObject({
      ...isRefused('access_denied'),
      message: 'The sign-in was turned down. Start again to get another code.',
    });
    expect(await pendingOf(user)).toEqual([]);
    expect(await linksOf(user)).toEqual([]);
  });

  it.each(
    [400, 200].flatMap((code) =>
      [
        'access_denied',
        'expired_token',
        'invalid_grant',
        'incorrect_device_code',
        'device_flow_disabled',
      ].map((error) => ({ error, code })),
    ),
  )('is the provider\'s "$error" with status $code', async ({ error, code }) => {
    const user = await gateway.user();
    const { deviceCode } = await startAtStub(user);
    stub.on('POST /token', refused(error, code));
    expect(await exchange(user, 'stub', deviceCode)).toMatchObject(isRefused(error));
    expect(await pendingOf(user)).toEqual([]);
  });

  it.each([200, 400])('is not "authorization_pending" or "slow_down" with status %i', async (code) => {
    const user = await gateway.user();
    const { deviceCode } = await startAtStub(user);
    stub.on('POST /token', refused('authorization_pending', code), refused('slow_down', code));
    expect(await exchange(user, 'stub', deviceCode)).toMatchObject(isRefused('authorization_pending'));
    gateway.advance(5_000);
    expect(await exchange(user, 'stub', deviceCode)).toMatchObject(isRefused('slow_down'));
    expect(await pendingOf(user)).toHaveLength(1);
  });
});

describe("a provider's bad moment", () => {
  it.each([
    ['status 500', status(500)],
    ['status 503', status(503, { 'retry-after': '1' })],
    ['status 429', status(429)],
    ['a connection that is cut', cut()],
    ['"temporarily_unavailable"', refused('temporarily_unavailable')],
    ['an answer that nobody understands', json({ hello: 'there' })],
  ] satisfies [string, Behaviour][])('%s leaves the code waiting', async (_, behaviour) => {
    const user = await gateway.user();
    const { deviceCode } = await startAtStub(user);
    stub.on('POST /token', behaviour, granted);
    expect(await exchange(user, 'stub', deviceCode)).toMatchObject({
      __typename: 'ExternalAuthProviderFailure',
      transient: true,
    });
    const asked = stub.count('POST /token');
    gateway.advance(6_000);
    expect(await exchange(user, 'stub', deviceCode)).toMatchObject(isRefused('slow_down'));
    expect(stub.count('POST /token')).toBe(asked);
    gateway.advance(9_000);
    expect(await exchange(user, 'stub', deviceCode)).toMatchObject(isLinked('stub'));
  });

  it('doubles the pace each time, up to a minute', async () => {
    const user = await gateway.user();
    const { deviceCode } = await startAtStub(user);
    stub.on('POST /token', cut());
    const intervals: number[] = [];
    for (let n = 0; n < 5; n++) {
      expect(await exchange(user, 'stub', deviceCode)).toMatchObject({ transient: true });
      const [row] = await pendingOf(user);
      intervals.push(row?.interval ?? 0);
      gateway.advance((row?.interval ?? 0) * 1_000);
    }
    expect(intervals).toEqual([10, 20, 40, 60, 60]);
  });

  it('honours Retry-After', async () => {
    const user = await gateway.user();
    const { deviceCode } = await startAtStub(user);
    stub.on('POST /token', status(503, { 'retry-after': '100' }), granted);
    expect(await exchange(user, 'stub', deviceCode)).toMatchObject({ transient: true });
    const asked = stub.count('POST /token');
    gateway.advance(50_000);
    expect(await exchange(user, 'stub', deviceCode)).toMatchObject(isRefused('slow_down'));
    expect(stub.count('POST /token')).toBe(asked);
    gateway.advance(60_000);
    expect(await exchange(user, 'stub', deviceCode)).toMatchObject(isLinked('stub'));
  });

  it.each([
    ['status 500', status(500)],
    ['a cut connection', cut()],
    [
      'a code that is none',
      json({ device_code: 'ä', user_code: 'x', verification_uri: 'https://x.test', expires_in: 9 }),
    ],
    [
      'a user code that forges lines',
      json({ device_code: 'a', user_code: 'x\u001b[2J', verification_uri: 'https://x.test', expires_in: 9 }),
    ],
    [
      'a page that is a script',
      json({ device_code: 'a', user_code: 'x', verification_uri: 'javascript:alert(1)', expires_in: 9 }),
    ],
  ] satisfies [string, Behaviour][])('at the start is said: %s', async (_, behaviour) => {
    const user = await gateway.user();
    stub.on('POST /device', behaviour);
    const { data } = await gateway.graphql(START, { providerId: 'stub' }, user.token);
    expect(data.startExternalAuthDevice).toMatchObject({ __typename: 'ExternalAuthProviderFailure' });
    expect(await pendingOf(user)).toEqual([]);
  });

  it('does not lose a grant when the client hangs up while it comes', async () => {
    const user = await gateway.user();
    const { deviceCode } = await startAtStub(user);
    const aborter = new AbortController();
    stub.on('POST /token', (response, request) => {
      aborter.abort();
      late(50, granted)(response, request);
    });
    await gateway
      .fetch('/graphql', {
        method: 'POST',
        token: user.token,
        signal: aborter.signal,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: EXCHANGE, variables: { providerId: 'stub', deviceCode } }),
      })
      .catch(() => {});
    await expect.poll(() => linksOf(user)).toHaveLength(1);
    await expect.poll(() => pendingOf(user)).toEqual([]);
  });
});

describe('is refused', () => {
  it('for a provider that takes no codes', async () => {
    const user = await gateway.user();
    const unsupported = {
      __typename: 'ExternalAuthDeviceUnsupported',
      code: 'EXTERNAL_AUTH_DEVICE_UNSUPPORTED',
      message: 'web-only takes no sign-in with a code: link it in a browser.',
      path: ['input', 'providerId'],
    };
    const { data } = await gateway.graphql(START, { providerId: 'web-only' }, user.token);
    expect(data.startExternalAuthDevice).toEqual(unsupported);
    expect(await exchange(user, 'web-only')).toEqual(unsupported);
  });

  it('for a provider that nobody configured', async () => {
    const user = await gateway.user();
    const notFound = { __typename: 'NotFound', code: 'NOT_FOUND', path: ['input', 'providerId'] };
    const { data } = await gateway.graphql(START, { providerId: 'nope' }, user.token);
    expect(data.startExternalAuthDevice).toMatchObject(notFound);
    expect(await exchange(user, 'nope', 'x')).toMatchObject(notFound);
  });

  it.each([
    ['empty', ''],
    ['too long', 'x'.repeat(4_097)],
    ['with a newline', 'a\nb'],
    ['beyond ASCII', 'ä'],
  ])('a device code that is %s', async (_, deviceCode) => {
    const user = await gateway.user();
    expect(await exchange(user, 'stub', deviceCode)).toMatchObject({
      __typename: 'InvalidInput',
      message: 'Device code takes 1 to 4096 printable characters of ASCII.',
      issues: [{ path: ['input', 'deviceCode'] }],
    });
  });

  it('without the scope external_auth:write', async () => {
    const user = await gateway.user(['external_auth:read']);
    for (const query of [START, EXCHANGE]) {
      const { data, errors } = await gateway.graphql(query, { providerId: 'oidc' }, user.token);
      expect(data).toBeNull();
      expect(errors?.[0]).toMatchObject({
        message: 'Your token lacks the scope external_auth:write.',
        extensions: { code: 'FORBIDDEN' },
      });
    }
  });
});

it('a poll that hangs lets no second one follow it', async () => {
  const user = await gateway.user();
  const { deviceCode } = await startAtStub(user);
  let hangUp = () => {};
  const reached = new Promise<void>((resolve) => {
    stub.on('POST /token', (response) => {
      hangUp = () => response.destroy();
      resolve();
    });
  });
  const waiting = exchange(user, 'stub', deviceCode);
  await reached;
  gateway.advance(20_000);
  expect(await exchange(user, 'stub', deviceCode)).toMatchObject(isRefused('slow_down'));
  hangUp();
  expect(await waiting).toMatchObject({ __typename: 'ExternalAuthProviderFailure', transient: true });
});

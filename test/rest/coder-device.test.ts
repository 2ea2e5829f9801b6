import { afterAll, describe, expect, it } from 'vitest';
import { expectNothingStored } from '../database-dump.ts';
import { useGateway } from '../harness.ts';
import { startUpstream } from '../upstream/oidc.ts';
import { askCoder, type CoderAnswer } from './coder-client.ts';

const upstream = await startUpstream();
afterAll(() => upstream.close());

const gateway = useGateway({
  env: {
    ...upstream.env(0, 'forge'),
    ...upstream.env(1, 'other'),
    ...upstream.env(2, 'web-only', { DEVICE_FLOW: 'false' }),
    // Nothing listens there.
    ...upstream.env(3, 'away', { ISSUER: 'http://127.0.0.1:9' }),
  },
});

/** The requests of one user, and what the user does at the provider. */
async function newDevice(provider = 'forge') {
  const { token } = await gateway.user(['external_auth:write']);
  const start = await askCoder(gateway, `GET /external-auth/${provider}/device`, { token });
  expect(start.status).toBe(200);
  const { device_code, user_code, verification_uri, interval } = start.body;
  return {
    token,
    deviceCode: device_code as string,
    userPage: `${verification_uri}?user_code=${user_code}`,
    /** Lets the provider's interval pass. */
    wait: () => gateway.advance(interval * 1_000),
    /** @param json undefined for a request without a body */
    poll: (json?: unknown, as = token): Promise<CoderAnswer> =>
      askCoder(gateway, `POST /external-auth/${provider}/device`, { token: as, json }),
    links: async () => (await askCoder(gateway, 'GET /external-auth', { token })).body.links,
  };
}

describe.each([
  ['with {"device_code"}, as real clients send it', (deviceCode: string) => ({ device_code: deviceCode })],
  ['without a body, as the documentation shows it', () => undefined],
])('POST …/device %s', (_how, jsonOf) => {
  it('answers authorization_pending, slow_down when asked too soon, and 204 when the user has agreed', async () => {
    const device = await newDevice();
    const poll = () => device.poll(jsonOf(device.deviceCode));

    device.wait();
    const pending = await poll();
    expect(pending.status).toBe(400);
    expect(pending.body).toEqual({ message: expect.any(String), detail: 'authorization_pending' });

    const asked = upstream.count();
    const tooSoon = await poll();
    expect(tooSoon.status).toBe(400);
    expect(tooSoon.body.detail).toBe('slow_down');
    expect(upstream.count()).toBe(asked);

    await upstream.approveDevice(device.userPage);
    // The client adds five seconds after slow_down, as RFC 8628 section 3.5 asks.
    device.wait();
    gateway.advance(5_000);
    const linked = await poll();
    expect(linked.status).toBe(204);
    expect(await device.links()).toEqual([
      expect.objectContaining({ provider_id: 'forge', authenticated: true, has_refresh_token: true }),
    ]);
  });

  it('answers access_denied when the user turned the device down', async () => {
    const device = await newDevice();
    await upstream.denyDevice(device.userPage);
    device.wait();
    const { status, body } = await device.poll(jsonOf(device.deviceCode));
    expect({ status, detail: body.detail }).toEqual({ status: 400, detail: 'access_denied' });
    expect(await device.links()).toEqual([]);
  });

  it('answers expired_token when the user took too long', async () => {
    const device = await newDevice();
    gateway.advance(601_000);
    const { status, body } = await device.poll(jsonOf(device.deviceCode));
    expect({ status, detail: body.detail }).toEqual({ status: 400, detail: 'expired_token' });
  });

  it('belongs to the user who asked for it', async () => {
    const device = await newDevice();
    await upstream.approveDevice(device.userPage);
    device.wait();
    const { token: stranger } = await gateway.user();
    const { status, body } = await expectNothingStored(gateway, () =>
      device.poll(jsonOf(device.deviceCode), stranger),
    );
    expect(status).toBe(400);
    expect(body.detail).not.toBe('authorization_pending');
    expect((await device.poll(jsonOf(device.deviceCode))).status).toBe(204);
  });

  it('belongs to the provider that it was made for', async () => {
    const device = await newDevice('other');
    device.wait();
    const { status } = await askCoder(gateway, 'POST /external-auth/forge/device', {
      token: device.token,
      json: jsonOf(device.deviceCode),
    });
    expect(status).toBe(400);
  });
});

describe('POST …/device', () => {
  it('goes on with the latest of several devices when it has no body', async () => {
    const first = await newDevice();
    const second = await askCoder(gateway, 'GET /external-auth/forge/device', { token: first.token });
    const { verification_uri, user_code } = second.body;
    await upstream.approveDevice(`${verification_uri}?user_code=${user_code}`);
    first.wait();
    expect((await first.poll()).status).toBe(204);
  });

  it('answers 204 without a content type, a length or a body', async () => {
    const device = await newDevice();
    await upstream.approveDevice(device.userPage);
    device.wait();
    const { status, headers, text } = await device.poll({ device_code: device.deviceCode });
    expect(status).toBe(204);
    expect(text).toBe('');
    expect(headers.get('content-type')).toBeNull();
  });

  it('ignores fields that it does not know, and takes a trailing slash', async () => {
    const device = await newDevice();
    await upstream.approveDevice(device.userPage);
    device.wait();
    const { status } = await askCoder(gateway, 'POST /external-auth/forge/device/', {
      token: device.token,
      json: { device_code: device.deviceCode, client: { version: 3 } },
    });
    expect(status).toBe(204);
  });

  it('answers 400 when no device was ever asked for', async () => {
    const { token } = await gateway.user();
    for (const json of [undefined, { device_code: 'never-issued' }]) {
      const { status, body } = await askCoder(gateway, 'POST /external-auth/forge/device', { token, json });
      expect(status).toBe(400);
      expect(body.detail).not.toBe('authorization_pending');
      expect(body.detail).not.toBe('slow_down');
    }
  });
});

describe('GET …/device', () => {
  it('takes a trailing slash', async () => {
    const { token } = await gateway.user();
    const { status } = await askCoder(gateway, 'GET /external-auth/forge/device/', { token });
    expect(status).toBe(200);
  });

  it.each(['GET', 'POST'])('answers 400 to %s when the provider has no device flow', async (method) => {
    const { token } = await gateway.user();
    const { status, body } = await expectNothingStored(gateway, () =>
      askCoder(gateway, `${method} /external-auth/web-only/device`, { token }),
    );
    expect(status).toBe(400);
    expect(body).toEqual({ message: expect.stringContaining('takes no sign-in with a code') });
  });

  it('answers 502 when the provider cannot be reached, and stores nothing', async () => {
    const { token } = await gateway.user();
    const { status, body, text } = await expectNothingStored(gateway, () =>
      askCoder(gateway, 'GET /external-auth/away/device', { token }),
    );
    expect(status).toBe(502);
    expect(body.message).toEqual(expect.any(String));
    expect(text).not.toContain('127.0.0.1');
  });
});

it('shows no token and no client secret on the whole way', async () => {
  const device = await newDevice();
  await upstream.approveDevice(device.userPage);
  device.wait();
  await device.poll({ device_code: device.deviceCode });
  const answers = await Promise.all(
    ['GET /external-auth', 'GET /external-auth/forge', 'DELETE /external-auth/forge'].map((request) =>
      askCoder(gateway, request, { token: device.token }),
    ),
  );
  const seen = answers.map(({ text }) => text).join('\n') + gateway.logLines.join('\n');
  expect(seen).not.toContain(upstream.clientSecret);
  expect(seen).not.toContain(device.token);
  expect(seen).not.toContain(device.deviceCode);
});

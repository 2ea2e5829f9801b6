import { expect } from 'vitest';
import type { TestGateway } from '../harness.ts';
import type { Upstream } from '../upstream/oidc.ts';
import { askCoder } from './coder-client.ts';

/**
 * Links a user's account by device flow, over REST from end to end.
 *
 * @param login who the user is at the upstream
 */
export async function linkByDevice(
  gateway: TestGateway,
  upstream: Upstream,
  token: string,
  provider: string,
  login = 'ada',
): Promise<void> {
  const { body } = await askCoder(gateway, `GET /external-auth/${provider}/device`, { token });
  await upstream.approveDevice(`${body.verification_uri}?user_code=${body.user_code}`, { login });
  gateway.advance(body.interval * 1_000);
  const { status } = await askCoder(gateway, `POST /external-auth/${provider}/device`, {
    token,
    json: { device_code: body.device_code },
  });
  expect(status).toBe(204);
}

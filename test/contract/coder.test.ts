import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { useGateway } from '../harness.ts';
import { askCoder } from '../rest/coder-client.ts';
import { startGitHub } from '../upstream/github.ts';
import { compareShapes } from './same-shape.ts';

// The documented examples show everything that a provider can have: an account, and an app's installation.
const github = await startGitHub();
afterAll(() => github.close());

const gateway = useGateway({
  env: github.env(0, 'github', {
    APP_INSTALL_URL: 'https://github.example/apps/gatehouse/installations/new',
  }),
});

function example(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`coder/${name}.json`, import.meta.url), 'utf8'));
}

async function linkedUser() {
  const { token } = await gateway.user();
  const device = await askCoder(gateway, 'GET /external-auth/github/device', { token });
  github.approveDevices();
  gateway.advance(device.body.interval * 1_000);
  const exchange = await askCoder(gateway, 'POST /external-auth/github/device', { token });
  return { token, device, exchange };
}

describe('the documented examples', () => {
  it('GET /external-auth', async () => {
    const { token } = await linkedUser();
    const { status, body } = await askCoder(gateway, 'GET /external-auth', { token });
    expect(status).toBe(200);
    expect(compareShapes(example('external-auth-link'), body)).toEqual([]);
    expect(compareShapes(example('external-auth-link'), body.links[0])).toEqual([]);
  });

  it('GET /external-auth without any link', async () => {
    const { token } = await gateway.user();
    const { status, body } = await askCoder(gateway, 'GET /external-auth', { token });
    expect(status).toBe(200);
    expect(compareShapes(example('external-auth-link'), body)).toEqual([]);
  });

  it('GET /external-auth/{externalauth}', async () => {
    const { token } = await linkedUser();
    const { status, body } = await askCoder(gateway, 'GET /external-auth/github', { token });
    expect(status).toBe(200);
    expect(compareShapes(example('external-auth'), body)).toEqual([]);
    expect(body).toMatchObject({
      authenticated: true,
      app_installable: true,
      app_install_url: 'https://github.example/apps/gatehouse/installations/new',
      user: { id: 583231, login: 'octocat' },
      installations: [{ id: 25381, account: { id: 1, login: 'acme', name: '' } }],
    });
  });

  it('GET /external-auth/{externalauth}/device', async () => {
    const { token } = await gateway.user();
    const { status, body } = await askCoder(gateway, 'GET /external-auth/github/device', { token });
    expect(status).toBe(200);
    expect(compareShapes(example('external-auth-device'), body)).toEqual([]);
    expect(Object.keys(body).sort()).toEqual(Object.keys(example('external-auth-device') as object).sort());
  });

  it('POST /external-auth/{externalauth}/device', async () => {
    const { exchange } = await linkedUser();
    expect({ status: exchange.status, text: exchange.text }).toEqual({ status: 204, text: '' });
  });

  it('DELETE /external-auth/{externalauth}', async () => {
    const { token } = await linkedUser();
    const { status, body } = await askCoder(gateway, 'DELETE /external-auth/github', { token });
    expect({ status, body }).toEqual({ status: 200, body: { token_revoked: true } });
  });
});

// The comparison itself must be able to fail.
it.each([
  ['a field is missing', { a: 1 }, {}],
  ['a field has another type', { a: 1 }, { a: '1' }],
  ['a field is null', { a: 'text' }, { a: null }],
  ['a list is null', { a: [1] }, { a: null }],
  ['a list is empty', { a: [1] }, { a: [] }],
  ['an element of a list differs', { a: [{ b: 1 }] }, { a: [{ b: 1 }, { b: true }] }],
  ['an object is a list', { a: { b: 1 } }, { a: [] }],
])('a fault is found when %s', (_what, shape, actual) => {
  expect(compareShapes(shape, actual)).toHaveLength(1);
});

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type TestUser, useGateway } from '../harness.ts';
import { newPublicKey } from '../new-public-key.ts';
import { askGitflic } from '../rest/gitflic-client.ts';
import { compareShapes } from './same-shape.ts';

const gateway = useGateway();

/** An example of the documentation, made JSON where it was not. */
function documented(name: string) {
  return JSON.parse(readFileSync(new URL(`./gitflic/${name}.json`, import.meta.url), 'utf8'));
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UNKNOWN_ID = '7f8933c7-aaaa-4aaa-aaaa-dbc99a7cd104';

/** Expects the fields of the example by name and JSON type, and no others. */
function expectSameShape(example: unknown, actual: unknown) {
  expect(compareShapes(example, actual)).toEqual([]);
  expect(compareShapes(actual, example)).toEqual([]);
}

describe('POST /user/settings/add-ssh-key', () => {
  const example = documented('add-ssh-key.request');

  it('answers 200 and the documented fields', async () => {
    const { id, token } = await gateway.user();
    const publicKey = newPublicKey('your_email@gitflic.ru');
    const json = { ...example, publicKey, expiresAt: '2090-10-10T10:10:10Z' };
    const { status, body } = await askGitflic(gateway, 'POST /user/settings/add-ssh-key', { token, json });
    expect(status).toBe(200);
    expectSameShape(documented('add-ssh-key.response'), body);
    expect(body).toEqual({
      uuid: expect.stringMatching(UUID),
      publicKey,
      title: 'Название ключа',
      expiresAt: '2090-10-10T10:10:10Z',
      userUuid: id,
    });
  });

  it('answers 422 to the example as it is: its key is damaged, and its date is past', async () => {
    const { token } = await gateway.user();
    const ask = (json: object) => askGitflic(gateway, 'POST /user/settings/add-ssh-key', { token, json });
    expect((await ask({ ...example, expiresAt: null })).status).toBe(422);
    expect((await ask({ ...example, publicKey: newPublicKey() })).status).toBe(422);
  });

  it('answers 403 without the right', async () => {
    const { token } = await gateway.user(['ssh_keys:read']);
    const json = { publicKey: newPublicKey(), title: 'x' };
    const { status, body } = await askGitflic(gateway, 'POST /user/settings/add-ssh-key', { token, json });
    expect(status).toBe(403);
    expect(body).toMatchObject({ error: 'Forbidden', title: 'error.forbidden', violations: [] });
  });

  it('answers 422 when the key is in use already, on whatever account and with whatever comment', async () => {
    const [ada, eve] = [await gateway.user(), await gateway.user()];
    const publicKey = newPublicKey('');
    const ask = (token: string, key: string) =>
      askGitflic(gateway, 'POST /user/settings/add-ssh-key', {
        token,
        json: { publicKey: key, title: 'Laptop' },
      });
    expect((await ask(ada.token, publicKey)).status).toBe(200);

    const again = await ask(ada.token, `${publicKey} another@host`);
    expect(again.status).toBe(422);
    expect(again.body.title).toBe('error.sshKeyAlreadyInUse');
    expect(again.body.message).toContain('Laptop');
    expect(again.body.violations).toEqual([{ field: 'publicKey', message: again.body.message }]);

    const elsewhere = await ask(eve.token, publicKey);
    expect(elsewhere.status).toBe(422);
    expect(elsewhere.body.title).toBe('error.sshKeyAlreadyInUse');
    expect(JSON.stringify(elsewhere.body)).not.toMatch(new RegExp(`Laptop|${ada.username}|${ada.id}`));
  });
});

describe('GET /user/settings/oauth/', () => {
  it('answers 200 and the documented page', async () => {
    const { token } = await gateway.user();
    const json = documented('oauth-app.request');
    const { body: app } = await askGitflic(gateway, 'POST /user/settings/oauth', { token, json });
    const { status, body } = await askGitflic(gateway, 'GET /user/settings/oauth/', { token });
    expect(status).toBe(200);
    expectSameShape(documented('list-oauth-apps.response'), body);
    expect(body).toEqual({
      _embedded: { oauthModelList: [app] },
      page: { size: 10, totalElements: 1, totalPages: 1, number: 0 },
    });
  });

  it('answers 422 to a page that is none', async () => {
    const { token } = await gateway.user();
    const { status, body } = await askGitflic(gateway, 'GET /user/settings/oauth/?page=first', { token });
    expect(status).toBe(422);
    expect(body.violations).toEqual([{ field: 'page', message: expect.stringContaining('whole number') }]);
  });
});

describe('GET /user/settings/oauth/{id}', () => {
  it('answers 200 and the documented fields', async () => {
    const { token } = await gateway.user();
    const json = documented('oauth-app.request');
    const { body: app } = await askGitflic(gateway, 'POST /user/settings/oauth', { token, json });
    const { status, body } = await askGitflic(gateway, `GET /user/settings/oauth/${app.id}`, { token });
    expect(status).toBe(200);
    expectSameShape(documented('oauth-app.response'), body);
    expect(body).toEqual(app);
  });
});

describe('POST /user/settings/oauth', () => {
  it('answers 200 and the documented fields', async () => {
    const { token } = await gateway.user();
    const json = documented('oauth-app.request');
    const { status, body } = await askGitflic(gateway, 'POST /user/settings/oauth', { token, json });
    expect(status).toBe(200);
    expectSameShape(documented('oauth-app.response'), body);
    expect(body).toEqual({
      ...json,
      id: expect.stringMatching(UUID),
      clientId: expect.stringMatching(UUID),
      clientSecret: expect.stringMatching(/^gts_/),
    });
  });

  it('answers 422 to wrong input', async () => {
    const { token } = await gateway.user();
    const json = { ...documented('oauth-app.request'), homepageUrl: 'nowhere' };
    const { status, body } = await askGitflic(gateway, 'POST /user/settings/oauth', { token, json });
    expect(status).toBe(422);
    expect(body.violations).toEqual([{ field: 'homepageUrl', message: expect.any(String) }]);
  });
});

describe('PUT /user/settings/oauth/{id}', () => {
  it('answers 200 and the documented fields', async () => {
    const { token } = await gateway.user();
    const json = documented('oauth-app.request');
    const { body: app } = await askGitflic(gateway, 'POST /user/settings/oauth', { token, json });
    const changed = {
      name: 'Другое',
      description: 'Другое описание',
      homepageUrl: 'https://example.com/home',
      authCallbackUrl: 'https://example.com/back',
      standalone: true,
    };
    const { status, body } = await askGitflic(gateway, `PUT /user/settings/oauth/${app.id}`, {
      token,
      json: changed,
    });
    expect(status).toBe(200);
    expectSameShape(documented('oauth-app.response'), body);
    expect(body).toEqual({ ...app, ...changed });
    expect((await askGitflic(gateway, `GET /user/settings/oauth/${app.id}`, { token })).body).toEqual(body);
  });
});

describe('DELETE /user/settings/oauth/{id}', () => {
  it('answers 200 and an empty object, and the app is gone', async () => {
    const { token } = await gateway.user();
    const json = documented('oauth-app.request');
    const { body: app } = await askGitflic(gateway, 'POST /user/settings/oauth', { token, json });
    const { status, body } = await askGitflic(gateway, `DELETE /user/settings/oauth/${app.id}`, { token });
    expect(status).toBe(200);
    expect(body).toEqual({});
    for (const method of ['GET', 'DELETE']) {
      const again = await askGitflic(gateway, `${method} /user/settings/oauth/${app.id}`, { token });
      expect(again.status, method).toBe(404);
    }
  });
});

describe.each(['GET', 'PUT', 'DELETE'])('%s /user/settings/oauth/{id}', (method) => {
  const json = method === 'PUT' ? documented('oauth-app.request') : undefined;

  it('answers 404 to an unknown id, and the same to the id of somebody else', async () => {
    const [ada, eve] = [await gateway.user(), await gateway.user()];
    const { body: app } = await askGitflic(gateway, 'POST /user/settings/oauth', {
      token: ada.token,
      json: documented('oauth-app.request'),
    });
    const ask = (id: string) =>
      askGitflic(gateway, `${method} /user/settings/oauth/${id}`, { token: eve.token, json });
    const [unknown, foreign] = [await ask(UNKNOWN_ID), await ask(app.id)];
    expect([unknown.status, foreign.status]).toEqual([404, 404]);
    const { timestamp: _t1, path: _p1, ...unknownBody } = unknown.body;
    const { timestamp: _t2, path: _p2, ...foreignBody } = foreign.body;
    expect(foreignBody).toEqual(unknownBody);
    expect(unknownBody).toMatchObject({ error: 'Not Found', title: 'error.notFound', violations: [] });

    const untouched = await askGitflic(gateway, `GET /user/settings/oauth/${app.id}`, { token: ada.token });
    expect(untouched.body).toEqual(app);
  });

  it('answers 422 to an id that is none', async () => {
    const { token } = await gateway.user();
    for (const id of ['1', 'me', `${UNKNOWN_ID}0`, '%00', '%ff', 'T0F1dGhBcHA6MQ==', '{id}']) {
      const { status, body } = await askGitflic(gateway, `${method} /user/settings/oauth/${id}`, {
        token,
        json,
      });
      expect(status, id).toBe(422);
      expect(body.violations, id).toEqual([{ field: 'id', message: expect.stringContaining('UUID') }]);
    }
  });
});

describe('GET /user/me', () => {
  it('answers what real clients read on their start', async () => {
    const answerOf = ({ id, username }: TestUser) => ({
      id,
      username,
      name: username,
      surname: '',
      email: '',
      fullName: username,
      avatar: null,
      cover: null,
    });
    const unnamed = await gateway.user();
    expect(await askGitflic(gateway, 'GET /user/me', { token: unnamed.token })).toMatchObject({
      status: 200,
      body: answerOf(unnamed),
    });

    const named = await gateway.user();
    const { id, username, token } = named;
    await gateway.runtime.db.user.update({
      where: { id },
      data: { displayName: 'Ada King Lovelace', email: `${username}@example.com` },
    });
    const { body } = await askGitflic(gateway, 'GET /user/me', { token });
    expect(body).toEqual({
      ...answerOf(named),
      name: 'Ada',
      surname: 'King Lovelace',
      fullName: 'Ada King Lovelace',
      email: `${username}@example.com`,
    });
  });
});

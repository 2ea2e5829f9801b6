import { describe, expect, it } from 'vitest';
import { expectNothingStored } from '../database-dump.ts';
import { globalId } from '../graphql/arguments.ts';
import { useGateway } from '../harness.ts';
import { askGitflic, fieldsOf, newApp } from './gitflic-client.ts';

const gateway = useGateway();
const masked = useGateway({ env: { OAUTH_APP_SECRET_READS: 'masked' } });
const PATH = '/user/settings/oauth';

const REDIRECT_URIS = '{ viewer { oauthApps { edges { node { redirectUris } } } } }';

/** An app with several redirect URIs, which only GraphQL can make. */
async function appOf(token: string, redirectUris: string[], standalone = false): Promise<string> {
  const { data } = await gateway.graphql(
    `mutation ($input: CreateOAuthAppInput!) {
      createOAuthApp(input: $input) { ... on CreateOAuthAppPayload { oauthApp { uuid } } }
    }`,
    { input: { name: 'Robot', homepageUrl: 'https://example.com', redirectUris, standalone } },
    token,
  );
  return data.createOAuthApp.oauthApp.uuid;
}

async function redirectUrisOf(token: string): Promise<string[]> {
  const { data } = await gateway.graphql(REDIRECT_URIS, {}, token);
  return data.viewer.oauthApps.edges[0].node.redirectUris;
}

describe('an app with several redirect URIs', () => {
  const [one, two, three, four] = [
    'https://one.test/',
    'https://two.test/',
    'https://three.test/',
    'https://four.test/',
  ];

  it('shows the first', async () => {
    const { token } = await gateway.user();
    const id = await appOf(token, [one, two, three]);
    const { body } = await askGitflic(gateway, `GET ${PATH}/${id}`, { token });
    expect(body.authCallbackUrl).toBe(one);
  });

  it.each([
    ['keeps them all when the first stays', one, [one, two, three]],
    ['keeps the rest when the first is replaced', four, [four, two, three]],
    ['names one but once when another becomes the first', three, [three, two]],
  ])('%s', async (_what, authCallbackUrl, expected) => {
    const { token } = await gateway.user();
    const id = await appOf(token, [one, two, three]);
    const json = { ...newApp, name: 'Renamed', authCallbackUrl };
    const { status, body } = await askGitflic(gateway, `PUT ${PATH}/${id}`, { token, json });
    expect([status, body.name, body.authCallbackUrl]).toEqual([200, 'Renamed', authCallbackUrl]);
    expect(await redirectUrisOf(token)).toEqual(expected);
  });

  it('keeps a list that GraphQL changes at the same time', async () => {
    const { token } = await gateway.user();
    const id = await appOf(token, [one, two]);
    const json = { ...newApp, authCallbackUrl: four };
    await Promise.all([
      askGitflic(gateway, `PUT ${PATH}/${id}`, { token, json }),
      gateway.graphql(
        `mutation ($id: ID!, $uris: [String!]) {
          updateOAuthApp(input: { id: $id, redirectUris: $uris }) { __typename }
        }`,
        { id: globalId('OAuthApp', id), uris: [one, three] },
        token,
      ),
    ]);
    // Whichever came first: the list of GraphQL, and not what the PUT found before it.
    expect([
      [one, three],
      [four, three],
    ]).toContainEqual(await redirectUrisOf(token));
  });
});

describe('the callback of an app', () => {
  it.each([
    'https://example.com',
    'http://intranet:8080/callback',
    'http://localhost:3000/',
    'https://gitflic.ru/settings/oauth/create',
  ])('is kept as it was written: %s', async (authCallbackUrl) => {
    const { token } = await gateway.user();
    const json = { ...newApp, authCallbackUrl };
    const { body } = await askGitflic(gateway, `POST ${PATH}`, { token, json });
    expect(body.authCallbackUrl).toBe(authCallbackUrl);
  });

  it("may have a native app's own scheme as long as the app is standalone", async () => {
    const { token } = await gateway.user();
    const json = { ...newApp, authCallbackUrl: 'com.example.app:/callback', standalone: true };
    const { status, body } = await askGitflic(gateway, `POST ${PATH}`, { token, json });
    expect(status).toBe(200);
    const confidential = { ...json, standalone: false };
    for (const request of [`POST ${PATH}`, `PUT ${PATH}/${body.id}`]) {
      const answer = await askGitflic(gateway, request, { token, json: confidential });
      expect([answer.status, fieldsOf(answer)], request).toEqual([422, ['authCallbackUrl']]);
    }
    // The one that stands behind the first is not in the request: standalone is what does not go.
    const id = await appOf(token, ['https://one.test/', 'com.example.app:/callback'], true);
    const answer = await askGitflic(gateway, `PUT ${PATH}/${id}`, { token, json: newApp });
    expect([answer.status, fieldsOf(answer)]).toEqual([422, ['standalone']]);
  });
});

describe('PUT', () => {
  it('replaces every field: what is absent becomes empty or false', async () => {
    const { token } = await gateway.user();
    const json = { ...newApp, standalone: true };
    const { body: app } = await askGitflic(gateway, `POST ${PATH}`, { token, json });
    const { description: _d, standalone: _s, ...required } = newApp;
    const { body } = await askGitflic(gateway, `PUT ${PATH}/${app.id}`, { token, json: required });
    expect(body).toEqual({ ...app, description: '', standalone: false });
  });

  it('never rotates the secret', async () => {
    const { token } = await gateway.user();
    const { body: app } = await askGitflic(gateway, `POST ${PATH}`, { token, json: newApp });
    const { clientId, clientSecret } = app;
    for (const name of ['Second', 'Third']) {
      const { body } = await askGitflic(gateway, `PUT ${PATH}/${app.id}`, {
        token,
        json: { ...newApp, name },
      });
      expect(body).toMatchObject({ name, clientId, clientSecret });
    }
  });

  it('takes an app back as it was read', async () => {
    const { token } = await gateway.user();
    const { body: app } = await askGitflic(gateway, `POST ${PATH}`, { token, json: newApp });
    const { status, body } = await askGitflic(gateway, `PUT ${PATH}/${app.id}`, { token, json: app });
    expect([status, body]).toEqual([200, app]);
  });
});

describe('with reads of secrets turned off', () => {
  it('only the creation shows the secret; elsewhere the field is an empty string', async () => {
    const { token } = await masked.user();
    const { body: app } = await askGitflic(masked, `POST ${PATH}`, { token, json: newApp });
    expect(app.clientSecret).toMatch(/^gts_/);
    const hidden = { ...app, clientSecret: '' };
    expect((await askGitflic(masked, `GET ${PATH}/${app.id}`, { token })).body).toEqual(hidden);
    expect((await askGitflic(masked, `PUT ${PATH}/${app.id}`, { token, json: newApp })).body).toEqual(hidden);
    const { body } = await askGitflic(masked, `GET ${PATH}`, { token });
    expect(body._embedded.oauthModelList).toEqual([hidden]);
  });
});

describe('the database', () => {
  it('stays as it is when an app is only read', async () => {
    const { token } = await gateway.user();
    const { body: app } = await askGitflic(gateway, `POST ${PATH}`, { token, json: newApp });
    await expectNothingStored(gateway, async () => {
      await askGitflic(gateway, `GET ${PATH}/${app.id}`, { token });
      await askGitflic(gateway, `GET ${PATH}`, { token });
      await askGitflic(gateway, 'GET /user/me', { token });
    });
  });

  it('gets one audit row with each change', async () => {
    const { id: userId, token } = await gateway.user();
    const { body: app } = await askGitflic(gateway, `POST ${PATH}`, { token, json: newApp });
    await askGitflic(gateway, `PUT ${PATH}/${app.id}`, { token, json: { ...newApp, name: 'Renamed' } });
    await askGitflic(gateway, `DELETE ${PATH}/${app.id}`, { token });
    const rows = await gateway.runtime.db.auditEvent.findMany({
      where: { userId, targetType: 'oauth_app' },
      orderBy: { id: 'asc' },
    });
    expect(rows.map(({ action, targetId }) => [action, targetId])).toEqual([
      ['oauth_app.create', app.id],
      ['oauth_app.update', app.id],
      ['oauth_app.delete', app.id],
    ]);
  });
});

it('masks an unexpected failure, and logs it with the id of the request', async () => {
  const { token } = await gateway.user();
  await gateway.runtime.db.$executeRawUnsafe('ALTER TABLE oauth_apps RENAME TO oauth_apps_away');
  try {
    const { status, body } = await askGitflic(gateway, `GET ${PATH}`, {
      token,
      headers: { 'x-request-id': 'broken-0001' },
    });
    expect([status, body.title]).toEqual([500, 'error.internalServerError']);
    expect(body.message).toContain('broken-0001');
    expect(gateway.logLines.some((line) => line.includes('broken-0001') && line.includes('oauth_apps'))).toBe(
      true,
    );
  } finally {
    await gateway.runtime.db.$executeRawUnsafe('ALTER TABLE oauth_apps_away RENAME TO oauth_apps');
  }
});

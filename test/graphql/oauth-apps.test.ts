import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../src/secrets/hash.ts';
import { hasValidChecksum } from '../../src/secrets/mint.ts';
import { dumpDatabase, expectNothingStored } from '../database-dump.ts';
import { type TestGateway, type TestUser, useGateway } from '../harness.ts';
import { withoutTokenCheck } from '../statements.ts';
import { globalId } from './arguments.ts';

const gateway = useGateway();
/** Other instances, whose operators show secrets once only, and let the old one end with a rotation. */
const masked = useGateway({ env: { OAUTH_APP_SECRET_READS: 'masked' } });
const graceless = useGateway({ env: { OAUTH_APP_SECRET_GRACE_HOURS: '0' } });

const HOUR = 3_600_000;
const SECOND = 1_000;

const SECRET = 'id prefix createdAt lastUsedAt expiresAt';
const APP = `id uuid name description clientId clientSecret homepageUrl redirectUris standalone
  secrets { ${SECRET} } createdAt updatedAt`;
const INVALID = '... on InvalidInput { code message path issues { path message } }';
const NOT_FOUND = '... on NotFound { code message path }';

const CREATE = `mutation ($input: CreateOAuthAppInput!) {
  createOAuthApp(input: $input) {
    __typename
    ... on CreateOAuthAppPayload { clientSecret oauthApp { ${APP} } }
    ${INVALID}
  }
}`;
const UPDATE = `mutation ($input: UpdateOAuthAppInput!) {
  updateOAuthApp(input: $input) {
    __typename
    ... on UpdateOAuthAppPayload { oauthApp { ${APP} } }
    ${NOT_FOUND}
    ${INVALID}
  }
}`;
const DELETE = `mutation ($id: ID!) {
  deleteOAuthApp(input: {id: $id}) {
    __typename
    ... on DeleteOAuthAppPayload { deletedOAuthAppId }
    ${NOT_FOUND}
  }
}`;
const ROTATE = `mutation ($id: ID!) {
  rotateOAuthAppSecret(input: {id: $id}) {
    __typename
    ... on RotateOAuthAppSecretPayload { clientSecret secret { ${SECRET} } oauthApp { ${APP} } }
    ${NOT_FOUND}
  }
}`;
const REVOKE = `mutation ($id: ID!) {
  revokeOAuthAppSecret(input: {id: $id}) {
    __typename
    ... on RevokeOAuthAppSecretPayload { revokedOAuthAppSecretId }
    ... on LastOAuthAppSecret { code message path }
    ${NOT_FOUND}
  }
}`;
const FIND = `query ($id: UUID!) { viewer { oauthApp(id: $id) { ${APP} } } }`;
const NODE = `query ($id: ID!) { node(id: $id) { ... on OAuthApp { ${APP} } ... on OAuthAppSecret { ${SECRET} } } }`;
const LIST = `query ($first: Int, $after: String, $last: Int, $before: String, $offset: Int) {
  viewer {
    oauthApps(first: $first, after: $after, last: $last, before: $before, offset: $offset) {
      totalCount
      edges { cursor node { name } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}`;

type Fields = Record<string, unknown>;
type Holder = { token: string };

const valid = {
  name: 'Build robot',
  homepageUrl: 'https://example.com',
  redirectUris: ['https://example.com/callback'],
};

const ask = async (at: TestGateway, user: Holder, query: string, variables: Fields) => {
  const { data, errors } = await at.graphql(query, variables, user.token);
  expect(errors).toBeUndefined();
  return Object.values(data)[0] as Fields & Answer;
};

/** What the tests look into. */
interface Answer {
  __typename: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  oauthApp: any;
  clientSecret: string;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  issues: any[];
}

const create = (user: Holder, input: Fields = {}, at: TestGateway = gateway) =>
  ask(at, user, CREATE, { input: { ...valid, ...input } });
const update = (user: Holder, input: Fields) => ask(gateway, user, UPDATE, { input });
const remove = (user: Holder, id: string) => ask(gateway, user, DELETE, { id });
const rotate = (user: Holder, id: string, at: TestGateway = gateway) => ask(at, user, ROTATE, { id });
const revoke = (user: Holder, id: string) => ask(gateway, user, REVOKE, { id });
const find = async (user: Holder, id: string, at: TestGateway = gateway) =>
  (await ask(at, user, FIND, { id })).oauthApp;
const node = async (user: Holder, id: string) => (await gateway.graphql(NODE, { id }, user.token)).data.node;
const list = async (user: Holder, variables: Fields = {}) =>
  (await gateway.graphql(LIST, variables, user.token)).data.viewer.oauthApps;

const names = (page: { edges: { node: { name: string } }[] }) => page.edges.map(({ node }) => node.name);
const idsOf = ({ secrets }: { secrets: { id: string }[] }) => secrets.map(({ id }) => id);
const uuidOf = (id: string) => Buffer.from(id, 'base64').toString().replace(/^.*:/, '');

/** What the audit trail says of a user's apps. */
const audited = (userId: string, at: TestGateway = gateway) =>
  at.runtime.db.auditEvent.findMany({ where: { userId, targetType: 'oauth_app' }, orderBy: { id: 'asc' } });

const secretRows = (appId: string, at: TestGateway = gateway) =>
  at.runtime.db.oAuthAppSecret.findMany({ where: { appId } });

/** A user with apps that are named n down to 1, in the order of the list. */
async function userWithApps(count: number): Promise<TestUser> {
  const user = await gateway.user();
  for (let n = 1; n <= count; n += 1) await create(user, { name: `${n}` });
  return user;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('createOAuthApp', () => {
  it('registers an app, and shows all of it', async () => {
    const ada = await gateway.user();
    const input = {
      name: ' Название ',
      description: 'Описание\nв две строки',
      homepageUrl: 'https://example.com',
      redirectUris: ['https://example.com', ' https://example.com/callback ', 'com.example.app:/callback'],
      standalone: true,
    };
    const { oauthApp, clientSecret, __typename } = await create(ada, input);
    expect(__typename).toBe('CreateOAuthAppPayload');
    expect(oauthApp).toEqual({
      ...input,
      name: 'Название',
      redirectUris: ['https://example.com', 'https://example.com/callback', 'com.example.app:/callback'],
      id: globalId('OAuthApp', oauthApp.uuid),
      uuid: expect.stringMatching(UUID),
      clientId: expect.stringMatching(UUID),
      clientSecret,
      secrets: [
        {
          id: expect.any(String),
          prefix: clientSecret.slice(0, 8),
          createdAt: expect.stringMatching(INSTANT),
          lastUsedAt: null,
          expiresAt: null,
        },
      ],
      createdAt: expect.stringMatching(INSTANT),
      updatedAt: expect.stringMatching(INSTANT),
    });
    expect(await find(ada, oauthApp.uuid)).toEqual(oauthApp);
    expect(await node(ada, oauthApp.id)).toEqual(oauthApp);
    expect(await node(ada, oauthApp.secrets[0].id)).toEqual(oauthApp.secrets[0]);
    expect(names(await list(ada))).toEqual(['Название']);
  });

  it('needs a name, a homepage and one redirect URI only', async () => {
    const ada = await gateway.user();
    for (const input of [{}, { description: null, standalone: null }]) {
      expect((await create(ada, input)).oauthApp).toMatchObject({
        ...valid,
        description: '',
        standalone: false,
      });
    }
  });

  it('makes a client id and a secret that nobody can guess, and that differ each time', async () => {
    const ada = await gateway.user();
    const apps = await Promise.all(Array.from({ length: 5 }, () => create(ada)));
    expect(new Set(apps.map(({ clientSecret }) => clientSecret)).size).toBe(5);
    expect(new Set(apps.map(({ oauthApp }) => oauthApp.clientId)).size).toBe(5);
    for (const { clientSecret } of apps) {
      // 43 characters of base64url hold 256 bits.
      expect(clientSecret).toMatch(/^gts_[\w-]{49}$/);
      expect(hasValidChecksum(clientSecret)).toBe(true);
    }
  });

  it('stores the secret encrypted and hashed, and nowhere in plain text', async () => {
    const ada = await gateway.user();
    const before = gateway.logLines.length;
    const { oauthApp, clientSecret } = await create(ada);
    const [row] = await secretRows(oauthApp.uuid);
    expect(row?.secret).toMatch(/^v1\./);
    expect(row?.secretHash).toEqual(sha256(clientSecret));
    expect(uuidOf(oauthApp.secrets[0].id)).toBe(row?.id);
    expect(JSON.stringify(await dumpDatabase(gateway))).not.toContain(clientSecret.slice(8));
    expect(gateway.logLines.slice(before).join('')).not.toContain(clientSecret.slice(8));
  });

  it('writes who registered what into the audit trail', async () => {
    const ada = await gateway.user();
    const [token] = await gateway.runtime.db.apiToken.findMany({ where: { userId: ada.id } });
    const { oauthApp, clientSecret } = await create(ada);
    expect(await audited(ada.id)).toMatchObject([
      {
        action: 'oauth_app.create',
        tokenId: token?.id,
        targetId: oauthApp.uuid,
        details: {
          ...valid,
          description: '',
          standalone: false,
          clientId: oauthApp.clientId,
          secret: clientSecret.slice(0, 8),
        },
      },
    ]);
  });

  const faults: [what: string, change: Fields, path: string[], message: RegExp][] = [
    ['an empty name', { name: ' ' }, ['name'], /^Name must not be empty\.$/],
    ['a name that is too long', { name: 'x'.repeat(256) }, ['name'], /at most 255 characters\.$/],
    ['a name of two lines', { name: 'a\nb' }, ['name'], /must not contain control characters\.$/],
    ['a name with NUL', { name: 'a\0b' }, ['name'], /must not contain control characters\.$/],
    [
      'a description that is too long',
      { description: 'x'.repeat(2_001) },
      ['description'],
      /at most 2000 characters\.$/,
    ],
    [
      'a description with an escape sequence',
      { description: '\u001b[31mred' },
      ['description'],
      /must not contain control characters\.$/,
    ],
    [
      'a description with half a character',
      { description: 'a\ud800b' },
      ['description'],
      /must not contain control characters\.$/,
    ],
    ['an empty homepage', { homepageUrl: '' }, ['homepageUrl'], /^Homepage URL must not be empty\.$/],
    [
      'a homepage that runs code',
      { homepageUrl: 'javascript:alert(1)' },
      ['homepageUrl'],
      /takes an http or/,
    ],
    [
      'a homepage that is too long',
      { homepageUrl: `https://example.com/${'x'.repeat(2_029)}` },
      ['homepageUrl'],
      /at most 2048 characters\.$/,
    ],
    [
      'no redirect URI',
      { redirectUris: [] },
      ['redirectUris'],
      /^An app takes 1 to 20 redirect URIs, and not 0/,
    ],
    [
      'too many redirect URIs',
      { redirectUris: Array.from({ length: 21 }, (_, n) => `https://example.com/${n}`) },
      ['redirectUris'],
      /and not 21\.$/,
    ],
    ['a redirect URI that is none', { redirectUris: ['x'] }, ['redirectUris', '0'], /takes an absolute URL/],
    [
      'a redirect URI twice',
      { redirectUris: ['https://a.test', 'https://a.test '] },
      ['redirectUris', '1'],
      /^Redirect URI is in the list twice\.$/,
    ],
    [
      'a scheme of its own for an app with a server part',
      { redirectUris: ['https://a.test', 'com.example.app:/cb'] },
      ['redirectUris', '1'],
      /^Redirect URI takes https or http: only a standalone app has a scheme of its own\.$/,
    ],
  ];

  it.each(faults)('refuses %s', async (_what, change, path, message) => {
    const ada = await gateway.user();
    const refused = await expectNothingStored(gateway, () => create(ada, change));
    const issue = { path: ['input', ...path], message: expect.stringMatching(message) };
    expect(refused).toEqual({ __typename: 'InvalidInput', code: 'INVALID_INPUT', ...issue, issues: [issue] });
  });

  it.each(faults)('and updateOAuthApp refuses %s', async (_what, change, path, message) => {
    const ada = await gateway.user();
    const { oauthApp } = await create(ada);
    const refused = await expectNothingStored(gateway, () => update(ada, { id: oauthApp.id, ...change }));
    const issue = { path: ['input', ...path], message: expect.stringMatching(message) };
    expect(refused).toEqual({ __typename: 'InvalidInput', code: 'INVALID_INPUT', ...issue, issues: [issue] });
  });

  it('takes the longest of everything', async () => {
    const input = {
      name: 'x'.repeat(255),
      description: 'я'.repeat(2_000),
      homepageUrl: `https://example.com/${'x'.repeat(2_028)}`,
      redirectUris: Array.from({ length: 20 }, (_, n) => `https://example.com/${`${n}`.padEnd(2_028, 'x')}`),
    };
    expect((await create(await gateway.user(), input)).oauthApp).toMatchObject(input);
  });

  it('names all faults at once', async () => {
    const { issues } = await create(await gateway.user(), {
      name: '',
      description: '\0',
      homepageUrl: '',
      redirectUris: ['x', 'y'],
    });
    expect(issues.map(({ path }) => path.slice(1).join('.'))).toEqual([
      'name',
      'description',
      'homepageUrl',
      'redirectUris.0',
      'redirectUris.1',
    ]);
  });

  it.each<[what: string, input: Fields | null]>([
    ['no name', { homepageUrl: 'https://a.test', redirectUris: ['https://a.test'] }],
    ['no homepage', { name: 'x', redirectUris: ['https://a.test'] }],
    ['no redirect URIs', { name: 'x', homepageUrl: 'https://a.test' }],
    ['a redirect URI of null', { ...valid, redirectUris: [null] }],
    ['a number for a name', { ...valid, name: 7 }],
    ['a text for standalone', { ...valid, standalone: 'true' }],
    ['a secret of its own', { ...valid, clientSecret: 'mine' }],
    ['an owner', { ...valid, userId: randomUUID() }],
    ['no input', null],
  ])('does not run with %s', async (_what, input) => {
    const ada = await gateway.user();
    const { data, errors } = await expectNothingStored(gateway, () =>
      gateway.graphql(CREATE, { input }, ada.token),
    );
    expect(data).toBeUndefined();
    expect(errors?.[0].extensions.code).toBe('BAD_USER_INPUT');
  });
});

describe('updateOAuthApp', () => {
  it.each<[what: string, change: Fields, expected?: Fields]>([
    ['the name', { name: 'Другое' }],
    ['the description', { description: 'new' }],
    ['the description to nothing', { description: null }, { description: '' }],
    ['the homepage', { homepageUrl: 'http://intranet' }],
    ['the redirect URIs', { redirectUris: ['https://b.test', 'https://a.test'] }],
    ['whether it is standalone', { standalone: true }],
    ['the first redirect URI', { firstRedirectUri: 'https://b.test' }, { redirectUris: ['https://b.test'] }],
  ])('changes %s alone', async (_what, change, expected = change) => {
    const ada = await gateway.user();
    const { oauthApp } = await create(ada, { description: 'old' });
    const updated = await update(ada, { id: oauthApp.id, ...change });
    expect(updated).toEqual({
      __typename: 'UpdateOAuthAppPayload',
      oauthApp: { ...oauthApp, ...expected, updatedAt: expect.stringMatching(INSTANT) },
    });
    expect(await find(ada, oauthApp.uuid)).toEqual(updated.oauthApp);
  });

  it('never touches the secrets', async () => {
    const ada = await gateway.user();
    const { oauthApp } = await create(ada);
    await rotate(ada, oauthApp.id);
    const before = await secretRows(oauthApp.uuid);
    await update(ada, { id: oauthApp.id, ...valid, name: 'new', standalone: true });
    expect(await secretRows(oauthApp.uuid)).toEqual(before);
  });

  it.each([
    ['another', 'https://d.test', ['https://d.test', 'https://b.test', 'https://c.test']],
    ['the same', 'https://a.test', ['https://a.test', 'https://b.test', 'https://c.test']],
    ['one that stood behind it', 'https://c.test', ['https://c.test', 'https://b.test']],
  ])('replaces the first redirect URI with %s, and keeps the others', async (_what, first, expected) => {
    const ada = await gateway.user();
    const { oauthApp } = await create(ada, {
      redirectUris: ['https://a.test', 'https://b.test', 'https://c.test'],
    });
    const updated = await update(ada, { id: oauthApp.id, firstRedirectUri: first });
    expect(updated.oauthApp.redirectUris).toEqual(expected);
  });

  it('loses neither of two changes at once', async () => {
    const ada = await gateway.user();
    for (let round = 0; round < 3; round += 1) {
      const { oauthApp } = await create(ada, { redirectUris: ['https://a.test', 'https://b.test'] });
      await Promise.all([
        update(ada, {
          id: oauthApp.id,
          redirectUris: ['https://x.test', 'https://y.test', 'https://z.test'],
        }),
        update(ada, { id: oauthApp.id, name: 'new' }),
        update(ada, { id: oauthApp.id, firstRedirectUri: 'https://first.test' }),
      ]);
      const { name, redirectUris } = await find(ada, oauthApp.uuid);
      expect(name).toBe('new');
      // Whichever came last, none put back what another one had taken away.
      expect([
        'https://x.test https://y.test https://z.test',
        'https://first.test https://y.test https://z.test',
      ]).toContain(redirectUris.join(' '));
    }
  });

  it('keeps an app standalone that has a scheme of its own', async () => {
    const ada = await gateway.user();
    const { oauthApp } = await create(ada, {
      redirectUris: ['https://a.test', 'com.example.app:/cb'],
      standalone: true,
    });
    const { id } = oauthApp;
    await expectNothingStored(gateway, async () => {
      const [issue] = (await update(ada, { id, standalone: false })).issues;
      expect(issue).toEqual({
        path: ['input', 'standalone'],
        message: 'Standalone must stay true for the redirect URI com.example.app:/cb.',
      });
      const { issues } = await update(ada, { id, standalone: false, firstRedirectUri: 'com.example.b:/cb' });
      expect(issues.map(({ path }) => path.at(-1))).toEqual(['firstRedirectUri', 'standalone']);
    });
    const both = await update(ada, { id, standalone: false, redirectUris: ['https://a.test'] });
    expect(both.oauthApp).toMatchObject({ standalone: false, redirectUris: ['https://a.test'] });
  });

  it('writes what changed into the audit trail', async () => {
    const ada = await gateway.user();
    const { oauthApp } = await create(ada);
    const { id, uuid: targetId, clientId } = oauthApp;
    await update(ada, { id, name: 'new' });
    await update(ada, { id, firstRedirectUri: 'https://b.test', description: 'x', standalone: true });
    const rows = (await audited(ada.id)).slice(1);
    expect(rows.map(({ action, targetId, details }) => ({ action, targetId, details }))).toEqual(
      [
        { name: 'new', clientId },
        { redirectUris: ['https://b.test'], description: 'x', standalone: true, clientId },
      ].map((details) => ({ action: 'oauth_app.update', targetId, details })),
    );
  });

  it.each<[what: string, change: Fields, path: string[], message: string]>([
    ['a name of null', { name: null }, ['name'], 'Name takes text.'],
    ['a homepage of null', { homepageUrl: null }, ['homepageUrl'], 'Homepage URL takes text.'],
    [
      'redirect URIs of null',
      { redirectUris: null },
      ['redirectUris'],
      'Redirect URIs take a list of texts.',
    ],
    ['standalone of null', { standalone: null }, ['standalone'], 'Standalone takes true or false.'],
    [
      'a first redirect URI of null',
      { firstRedirectUri: null },
      ['firstRedirectUri'],
      'Redirect URI takes text.',
    ],
    [
      'a first redirect URI with a fragment',
      { firstRedirectUri: 'https://a.test/#' },
      ['firstRedirectUri'],
      'Redirect URI must not have a fragment.',
    ],
    [
      'all redirect URIs and the first',
      { redirectUris: ['https://a.test'], firstRedirectUri: 'https://a.test' },
      ['firstRedirectUri'],
      'Name either all redirect URIs or the first, not both.',
    ],
    [
      'nothing',
      {},
      [],
      'Name what to change: the name, the description, the homepage, the redirect URIs, or whether the app is standalone.',
    ],
  ])('refuses %s', async (_what, change, path, message) => {
    const ada = await gateway.user();
    const { oauthApp } = await create(ada);
    const refused = await expectNothingStored(gateway, () => update(ada, { id: oauthApp.id, ...change }));
    expect(refused.issues).toEqual([{ path: ['input', ...path], message }]);
  });
});

describe('deleteOAuthApp', () => {
  it('deletes an app with its secrets, and writes that into the audit trail', async () => {
    const ada = await gateway.user();
    const { oauthApp } = await create(ada, { name: 'old' });
    await rotate(ada, oauthApp.id);
    expect(await remove(ada, oauthApp.id)).toEqual({
      __typename: 'DeleteOAuthAppPayload',
      deletedOAuthAppId: oauthApp.id,
    });
    expect(await find(ada, oauthApp.uuid)).toBeNull();
    expect((await list(ada)).totalCount).toBe(0);
    expect(await secretRows(oauthApp.uuid)).toEqual([]);
    expect((await audited(ada.id)).at(-1)).toMatchObject({
      action: 'oauth_app.delete',
      targetId: oauthApp.uuid,
      details: { name: 'old', clientId: oauthApp.clientId },
    });
  });

  it('succeeds once when it races with itself and with changes', async () => {
    const ada = await gateway.user();
    for (let round = 0; round < 3; round += 1) {
      const { oauthApp } = await create(ada);
      const { id } = oauthApp;
      const [secret = ''] = idsOf((await rotate(ada, id)).oauthApp);
      const answers = await Promise.all([
        remove(ada, id),
        update(ada, { id, name: 'new' }),
        remove(ada, id),
        rotate(ada, id),
        revoke(ada, secret),
        update(ada, { id, firstRedirectUri: 'https://b.test' }),
      ]);
      const kinds = answers.map(({ __typename }) => __typename);
      expect(kinds.filter((kind) => kind === 'DeleteOAuthAppPayload')).toHaveLength(1);
      for (const kind of kinds) expect(kind).toMatch(/Payload$|^NotFound$/);
      expect(await secretRows(oauthApp.uuid)).toEqual([]);
      // Nothing that was refused is in the trail, and all that was done is, the deletion last.
      const rows = (await audited(ada.id)).filter(({ targetId }) => targetId === oauthApp.uuid);
      expect(rows).toHaveLength(2 + kinds.filter((kind) => kind.endsWith('Payload')).length);
    }
  });
});

describe('rotateOAuthAppSecret', () => {
  it('makes a new secret, and lets the one before work for a day', async () => {
    const ada = await gateway.user();
    const { oauthApp, clientSecret: old } = await create(ada);
    const now = gateway.runtime.clock().getTime();
    const rotated = await rotate(ada, oauthApp.id);
    const { clientSecret } = rotated;
    expect(clientSecret).toMatch(/^gts_/);
    expect(clientSecret).not.toBe(old);
    expect(rotated.secret).toEqual({
      id: expect.any(String),
      prefix: clientSecret.slice(0, 8),
      createdAt: expect.stringMatching(INSTANT),
      lastUsedAt: null,
      expiresAt: null,
    });
    const [before] = oauthApp.secrets;
    expect(rotated.oauthApp).toEqual({
      ...oauthApp,
      clientSecret,
      secrets: [rotated.secret, { ...before, expiresAt: expect.stringMatching(INSTANT) }],
    });
    const end = new Date(rotated.oauthApp.secrets[1].expiresAt).getTime();
    expect(Math.abs(end - now - 24 * HOUR)).toBeLessThan(60 * SECOND);
    expect(await find(ada, oauthApp.uuid)).toEqual(rotated.oauthApp);
    expect((await audited(ada.id)).at(-1)).toMatchObject({
      action: 'oauth_app_secret.rotate',
      targetId: oauthApp.uuid,
      details: {
        name: oauthApp.name,
        clientId: oauthApp.clientId,
        secret: clientSecret.slice(0, 8),
        previousSecret: old.slice(0, 8),
        previousEndsAt: rotated.oauthApp.secrets[1].expiresAt,
      },
    });
  });

  it('leaves two at most: the oldest ends at once', async () => {
    const ada = await gateway.user();
    const { oauthApp } = await create(ada);
    const [first = ''] = idsOf(oauthApp);
    const [second, stillFirst] = idsOf((await rotate(ada, oauthApp.id)).oauthApp);
    expect(stillFirst).toBe(first);
    const [third, stillSecond, ...more] = idsOf((await rotate(ada, oauthApp.id)).oauthApp);
    expect([stillSecond, more]).toEqual([second, []]);
    expect(await node(ada, first)).toBeNull();
    expect((await secretRows(oauthApp.uuid)).map(({ id }) => id).sort()).toEqual(
      [third, second].map((id) => uuidOf(id ?? '')).sort(),
    );
  });

  it('counts an expired secret no more, and clears it away the next time', async () => {
    const ada = await gateway.user();
    const { oauthApp } = await create(ada);
    const [old = ''] = idsOf(oauthApp);
    const [current = ''] = idsOf((await rotate(ada, oauthApp.id)).oauthApp);
    gateway.advance(24 * HOUR - 60 * SECOND);
    expect(idsOf(await find(ada, oauthApp.uuid))).toEqual([current, old]);
    gateway.advance(120 * SECOND);
    expect(idsOf(await find(ada, oauthApp.uuid))).toEqual([current]);
    expect(await node(ada, old)).toBeNull();
    expect(await revoke(ada, old)).toMatchObject({ __typename: 'NotFound' });
    expect(await revoke(ada, current)).toMatchObject({ __typename: 'LastOAuthAppSecret' });
    expect(await secretRows(oauthApp.uuid)).toHaveLength(2);
    const rotated = (await rotate(ada, oauthApp.id)).oauthApp;
    expect(idsOf(rotated)).toEqual([expect.any(String), current]);
    expect(await secretRows(oauthApp.uuid)).toHaveLength(2);
  });

  it('ends the one before at once where the operator allows no time', async () => {
    const ada = await graceless.user();
    const { oauthApp } = await create(ada, {}, graceless);
    const rotated = await rotate(ada, oauthApp.id, graceless);
    expect(rotated.oauthApp.secrets).toEqual([rotated.secret]);
    expect(await secretRows(oauthApp.uuid, graceless)).toHaveLength(1);
    expect((await audited(ada.id, graceless)).at(-1)?.details).toMatchObject({ previousEndsAt: null });
  });

  // Each would have found one live secret, and added a second, a third and a fourth.
  it('leaves two, and one without an end, when rotations race', async () => {
    const ada = await gateway.user();
    for (let round = 0; round < 3; round += 1) {
      const { oauthApp } = await create(ada);
      const answers = await Promise.all(Array.from({ length: 5 }, () => rotate(ada, oauthApp.id)));
      const rows = await secretRows(oauthApp.uuid);
      expect(rows).toHaveLength(2);
      expect(rows.filter(({ expiresAt }) => expiresAt === null)).toHaveLength(1);
      const { clientSecret } = await find(ada, oauthApp.uuid);
      expect(answers.map((answer) => answer.clientSecret)).toContain(clientSecret);
      const rotations = (await audited(ada.id)).filter(({ targetId }) => targetId === oauthApp.uuid).slice(1);
      expect(rotations).toHaveLength(5);
    }
  });
});

describe('revokeOAuthAppSecret', () => {
  it('revokes the old secret when nothing uses it any more', async () => {
    const ada = await gateway.user();
    const { oauthApp } = await create(ada);
    const [old = ''] = idsOf(oauthApp);
    const { clientSecret } = await rotate(ada, oauthApp.id);
    expect(await revoke(ada, old)).toEqual({
      __typename: 'RevokeOAuthAppSecretPayload',
      revokedOAuthAppSecretId: old,
    });
    const app = await find(ada, oauthApp.uuid);
    expect(app).toMatchObject({ clientSecret, secrets: [{ expiresAt: null }] });
    expect(await node(ada, old)).toBeNull();
    expect((await audited(ada.id)).at(-1)).toMatchObject({
      action: 'oauth_app_secret.revoke',
      targetId: oauthApp.uuid,
      details: {
        name: oauthApp.name,
        clientId: oauthApp.clientId,
        secret: oauthApp.secrets[0].prefix,
        remainingSecret: clientSecret.slice(0, 8),
      },
    });
  });

  // The old one would have ended a day later, and the app would have had none.
  it('takes a rotation back when it revokes the new one: the old one has no end any more', async () => {
    const ada = await gateway.user();
    const { oauthApp } = await create(ada);
    const [current = ''] = idsOf((await rotate(ada, oauthApp.id)).oauthApp);
    expect((await revoke(ada, current)).__typename).toBe('RevokeOAuthAppSecretPayload');
    expect(await find(ada, oauthApp.uuid)).toEqual(oauthApp);
    gateway.advance(48 * HOUR);
    expect(await find(ada, oauthApp.uuid)).toEqual(oauthApp);
  });

  it('refuses to revoke the only one', async () => {
    const ada = await gateway.user();
    const { oauthApp } = await create(ada);
    const refused = await expectNothingStored(gateway, () => revoke(ada, oauthApp.secrets[0].id));
    expect(refused).toEqual({
      __typename: 'LastOAuthAppSecret',
      code: 'LAST_OAUTH_APP_SECRET',
      message: "This is the app's only secret. Rotate it instead: a new one takes its place.",
      path: ['input', 'id'],
    });
  });

  it('leaves one when both are revoked at once', async () => {
    const ada = await gateway.user();
    for (let round = 0; round < 3; round += 1) {
      const { oauthApp } = await create(ada);
      const both = idsOf((await rotate(ada, oauthApp.id)).oauthApp);
      const answers = await Promise.all([...both, ...both].map((id) => revoke(ada, id)));
      const kinds = answers.map(({ __typename }) => __typename);
      expect(kinds.filter((kind) => kind === 'RevokeOAuthAppSecretPayload')).toHaveLength(1);
      expect(await secretRows(oauthApp.uuid)).toMatchObject([{ expiresAt: null }]);
    }
  });

  it('leaves one without an end when it races with a rotation', async () => {
    const ada = await gateway.user();
    for (let round = 0; round < 4; round += 1) {
      const { oauthApp } = await create(ada);
      const [current = '', old = ''] = idsOf((await rotate(ada, oauthApp.id)).oauthApp);
      await Promise.all([revoke(ada, round % 2 ? current : old), rotate(ada, oauthApp.id)]);
      const rows = await secretRows(oauthApp.uuid);
      expect(rows.filter(({ expiresAt }) => expiresAt === null)).toHaveLength(1);
      expect(rows.length).toBeLessThanOrEqual(2);
    }
  });
});

describe('an app or secret that is not there', () => {
  const refusal = (what: string) => ({
    __typename: 'NotFound',
    code: 'NOT_FOUND',
    message: `${what} was not found.`,
    path: ['input', 'id'],
  });

  it.each([['foreign'], ['unknown'], ['deleted']])('because it is %s is not found', async (which) => {
    const [ada, bob] = [await gateway.user(), await gateway.user()];
    const { oauthApp } = await create(ada);
    await rotate(ada, oauthApp.id);
    const { oauthApp: gone } = await create(bob);
    await remove(bob, gone.id);
    const app = { foreign: oauthApp, deleted: gone }[which];
    const uuid = app?.uuid ?? randomUUID();
    const id = globalId('OAuthApp', uuid);
    const secret = app?.secrets[0].id ?? globalId('OAuthAppSecret');
    await expectNothingStored(gateway, async () => {
      expect(await update(bob, { id, name: 'mine now' })).toEqual(refusal('The OAuth app'));
      expect(await update(bob, { id, firstRedirectUri: 'https://evil.test' })).toEqual(
        refusal('The OAuth app'),
      );
      expect(await remove(bob, id)).toEqual(refusal('The OAuth app'));
      expect(await rotate(bob, id)).toEqual(refusal('The OAuth app'));
      expect(await revoke(bob, secret)).toEqual(refusal('The secret'));
    });
    expect(await node(bob, id)).toBeNull();
    expect(await node(bob, secret)).toBeNull();
    expect(await find(bob, uuid)).toBeNull();
    expect((await list(bob)).totalCount).toBe(0);
  });
});

describe('a stored secret', () => {
  it('that was moved to another row is an error, and never the other secret', async () => {
    const [ada, eve] = [await gateway.user(), await gateway.user()];
    const [victim, thief] = [await create(ada), await create(eve)];
    const { oAuthAppSecret } = gateway.runtime.db;
    const [[mine], [theirs]] = [
      await secretRows(thief.oauthApp.uuid),
      await secretRows(victim.oauthApp.uuid),
    ];
    const swap = async (id: string | undefined, secret: string | undefined) =>
      oAuthAppSecret.update({ where: { id: id ?? '' }, data: { secret: secret ?? '' } });
    await swap(mine?.id, theirs?.secret);
    const before = gateway.logLines.length;
    const { data, errors } = await gateway.graphql(FIND, { id: thief.oauthApp.uuid }, eve.token);
    // The field fails alone.
    expect(data.viewer.oauthApp).toMatchObject({ name: valid.name, clientSecret: null });
    expect(errors).toMatchObject([
      {
        message: 'A stored secret cannot be read. Ask the administrator to look at the log.',
        path: ['viewer', 'oauthApp', 'clientSecret'],
        extensions: { code: 'SECRET_UNREADABLE' },
      },
    ]);
    expect(JSON.stringify([data, errors])).not.toContain(victim.clientSecret.slice(8));
    const logged = gateway.logLines.slice(before).join('');
    expect(logged).toContain(mine?.id);
    expect(logged).not.toContain(victim.clientSecret.slice(8));
    // A new one makes up for it.
    const { clientSecret } = await rotate(eve, thief.oauthApp.id);
    expect((await find(eve, thief.oauthApp.uuid)).clientSecret).toBe(clientSecret);
  });
});

describe('with reads of secrets turned off', () => {
  it('a secret is shown by the mutation that makes it, and never again', async () => {
    const ada = await masked.user();
    const created = await create(ada, {}, masked);
    expect(created.clientSecret).toMatch(/^gts_/);
    expect(created.oauthApp.clientSecret).toBeNull();
    expect((await find(ada, created.oauthApp.uuid, masked)).clientSecret).toBeNull();
    const rotated = await rotate(ada, created.oauthApp.id, masked);
    expect(rotated.clientSecret).toMatch(/^gts_/);
    expect(rotated.oauthApp.clientSecret).toBeNull();
    // They are told apart all the same.
    expect(rotated.oauthApp.secrets.map(({ prefix }: { prefix: string }) => prefix)).toEqual([
      rotated.clientSecret.slice(0, 8),
      created.clientSecret.slice(0, 8),
    ]);
  });
});

describe('the list of apps', () => {
  it('is empty at first', async () => {
    expect(await list(await gateway.user())).toEqual({
      totalCount: 0,
      edges: [],
      pageInfo: { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null },
    });
  });

  it('begins with the newest, and holds 20 when no number is named', async () => {
    const page = await list(await userWithApps(22));
    expect(page.totalCount).toBe(22);
    expect(names(page)).toEqual(Array.from({ length: 20 }, (_, n) => `${22 - n}`));
    expect(page.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
  });

  it('is read forwards and backwards page by page, each app once', async () => {
    const ada = await userWithApps(5);
    const one = await list(ada, { first: 2 });
    const two = await list(ada, { first: 2, after: one.pageInfo.endCursor });
    const three = await list(ada, { first: 2, after: two.pageInfo.endCursor });
    expect([one, two, three].map(names)).toEqual([['5', '4'], ['3', '2'], ['1']]);
    expect([one, two, three].map(({ totalCount }) => totalCount)).toEqual([5, 5, 5]);
    expect(three.pageInfo.hasNextPage).toBe(false);
    const last = await list(ada, { last: 2 });
    const middle = await list(ada, { last: 2, before: last.pageInfo.startCursor });
    expect([last, middle].map(names)).toEqual([
      ['2', '1'],
      ['4', '3'],
    ]);
    expect(middle.pageInfo.hasPreviousPage).toBe(true);
  });

  it('is read by page numbers', async () => {
    const ada = await userWithApps(5);
    const pages: string[][] = [];
    for (const offset of [0, 2, 4, 6, 2 ** 31 - 1]) {
      const page = await list(ada, { first: 2, offset });
      expect(page.totalCount).toBe(5);
      expect(page.pageInfo.hasNextPage).toBe(offset < 3);
      pages.push(names(page));
    }
    expect(pages).toEqual([['5', '4'], ['3', '2'], ['1'], [], []]);
    expect(names(await list(ada, { offset: 3 }))).toEqual(['2', '1']);
    expect(names(await list(ada, { first: 2, offset: null }))).toEqual(['5', '4']);
  });

  it('goes on from the end of a numbered page by its cursor', async () => {
    const ada = await userWithApps(4);
    const page = await list(ada, { first: 2, offset: 1 });
    expect(names(await list(ada, { first: 2, after: page.pageInfo.endCursor }))).toEqual(['1']);
  });

  it.each([
    { first: 201 },
    { first: 0 },
    { first: -1 },
    { offset: -1 },
    { offset: 1, last: 2 },
    { offset: 1, after: Buffer.from(`GPC:S:${randomUUID()}`).toString('base64') },
    { offset: 1, before: Buffer.from(`GPC:S:${randomUUID()}`).toString('base64') },
  ])('refuses %o', async (variables) => {
    const ada = await gateway.user();
    const { data, errors } = await gateway.graphql(LIST, variables, ada.token);
    expect(data ?? null).toBeNull();
    expect(errors?.[0].extensions.code).toBe('INVALID_INPUT');
  });

  it('reads 1 app and 7, with both kinds of fields that need secrets, in the same number of statements', async () => {
    const query =
      '{ viewer { oauthApps { totalCount edges { node { clientSecret secrets { prefix } } } } } }';
    const count = async (user: Holder) => {
      const before = gateway.statements.length;
      await gateway.graphql(query, {}, user.token);
      return withoutTokenCheck(gateway.statements.slice(before)).length;
    };
    const [one, seven] = [await userWithApps(1), await userWithApps(7)];
    expect(await count(seven)).toBe(await count(one));
  });
});

describe('scopes', () => {
  const id = globalId('OAuthApp');
  const operations: [name: string, query: string, variables: Fields, reading: boolean][] = [
    ['oauthApps', LIST, {}, true],
    ['oauthApp', FIND, { id: randomUUID() }, true],
    ['createOAuthApp', CREATE, { input: valid }, false],
    ['updateOAuthApp', UPDATE, { input: { id, name: 'x' } }, false],
    ['deleteOAuthApp', DELETE, { id }, false],
    ['rotateOAuthAppSecret', ROTATE, { id }, false],
    ['revokeOAuthAppSecret', REVOKE, { id: globalId('OAuthAppSecret') }, false],
  ];

  it.each(operations)('%s is for tokens with a scope of apps', async (_name, query, variables, reading) => {
    const others = ['user:read', 'external_auth:write', 'ssh_keys:write', 'tokens:write'] as const;
    const granted = { 'oauth_apps:read': reading, 'oauth_apps:write': true, admin: true };
    for (const scope of [...others, 'oauth_apps:read', 'oauth_apps:write', 'admin'] as const) {
      const user = await gateway.user([scope]);
      const act = () => gateway.graphql(query, variables, user.token);
      if (scope in granted && granted[scope as keyof typeof granted]) {
        expect((await act()).errors, scope).toBeUndefined();
        continue;
      }
      const { errors } = await expectNothingStored(gateway, act);
      expect(errors?.[0], scope).toMatchObject({
        message: `Your token lacks the scope oauth_apps:${reading ? 'read' : 'write'}.`,
        extensions: { code: 'FORBIDDEN' },
      });
    }
  });

  it.each(operations)('%s is for nobody without a token', async (_name, query, variables) => {
    const { status, errors } = await expectNothingStored(gateway, () => gateway.graphql(query, variables));
    expect(status).toBe(401);
    expect(errors?.[0].extensions.code).toBe('UNAUTHENTICATED');
  });

  it('guard an app and a secret that are read as nodes', async () => {
    const { oauthApp } = await create(await gateway.user());
    const stranger = await gateway.user(['user:read']);
    for (const id of [oauthApp.id, oauthApp.secrets[0].id]) {
      const { data } = await gateway.graphql(NODE, { id }, stranger.token);
      expect(data).toEqual({ node: null });
    }
  });
});

describe('the audit trail', () => {
  // Without it nobody could say who changed an app; so a change that it cannot record does not happen.
  it('is written with the change, or neither is', async () => {
    const ada = await gateway.user();
    const { oauthApp } = await create(ada);
    const { id } = oauthApp;
    const [current = ''] = idsOf((await rotate(ada, id)).oauthApp);
    const { db } = gateway.runtime;
    await db.$executeRaw`
      CREATE FUNCTION refuse_audit() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.request_id = 'refuse-audit' THEN RAISE EXCEPTION 'the audit trail is full'; END IF;
        RETURN NEW;
      END $$`;
    await db.$executeRaw`
      CREATE TRIGGER refuse_audit BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION refuse_audit()`;
    for (const [query, variables] of [
      [CREATE, { input: valid }],
      [UPDATE, { input: { id, name: 'new' } }],
      [ROTATE, { id }],
      [REVOKE, { id: current }],
      [DELETE, { id }],
    ] as const) {
      const answer = await expectNothingStored(gateway, async () => {
        const response = await gateway.fetch('/graphql', {
          method: 'POST',
          token: ada.token,
          headers: { 'content-type': 'application/json', 'x-request-id': 'refuse-audit' },
          body: JSON.stringify({ query, variables }),
        });
        return response.text();
      });
      expect(answer).toContain('INTERNAL_SERVER_ERROR');
      expect(answer).not.toContain('the audit trail is full');
    }
  });
});

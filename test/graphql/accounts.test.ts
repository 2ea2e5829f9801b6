import { describe, expect, it } from 'vitest';
import { createApiToken, setUserDisabled, systemActor } from '../../src/accounts/accounts.service.ts';
import { allScopes, type Scope } from '../../src/auth/scopes.ts';
import { expectNothingStored } from '../database-dump.ts';
import { type TestUser, useGateway } from '../harness.ts';
import { globalId } from './arguments.ts';

const gateway = useGateway();

const MINUTE = 60_000;

const CREATE = `mutation ($input: CreateApiTokenInput!) {
  createApiToken(input: $input) {
    __typename
    ... on CreateApiTokenPayload { token apiToken { id uuid name prefix scopes expiresAt lastUsedAt createdAt } }
    ... on InvalidInput { code message path issues { path message } }
  }
}`;

const REVOKE = `mutation ($id: ID!) {
  revokeApiToken(input: {id: $id}) {
    __typename
    ... on RevokeApiTokenPayload { revokedTokenId }
    ... on NotFound { code message path }
  }
}`;

const LIST = `query ($first: Int, $after: String, $last: Int, $before: String) {
  viewer {
    apiTokens(first: $first, after: $after, last: $last, before: $before) {
      totalCount
      edges { cursor node { id name scopes lastUsedAt } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}`;

const create = async (input: Record<string, unknown>, { token }: { token: string }) =>
  (await gateway.graphql(CREATE, { input }, token)).data.createApiToken;

const list = async ({ token }: { token: string }, variables: Record<string, unknown> = {}) =>
  (await gateway.graphql(LIST, variables, token)).data.viewer.apiTokens;

const whoAmI = (token: string) => gateway.graphql('{ viewer { username } }', {}, token);

const audited = (userId: string) =>
  gateway.runtime.db.auditEvent.findMany({ where: { userId }, orderBy: { id: 'asc' } });

/** A user with tokens that are named n down to 1, in the order of the list. */
async function userWithTokens(count: number): Promise<TestUser> {
  const user = await gateway.user();
  for (let n = 1; n < count; n += 1) {
    await createApiToken(gateway.runtime, systemActor(user.id), null, {
      name: `${n}`,
      scopes: ['user:read'],
    });
  }
  return user;
}

describe('viewer', () => {
  it('is the user whose token the request carries', async () => {
    const ada = await gateway.user();
    const { status, data } = await gateway.graphql(
      '{ viewer { uuid username apiTokens { totalCount edges { node { name scopes } } } } }',
      {},
      ada.token,
    );
    expect(status).toBe(200);
    expect(data.viewer).toEqual({
      uuid: ada.id,
      username: ada.username,
      apiTokens: { totalCount: 1, edges: [{ node: { name: 'test', scopes: ['ADMIN'] } }] },
    });
  });

  it.each([
    ['no token', undefined],
    ['an unknown token', `gth_${'A'.repeat(43)}AAAAAA`],
    ['a token of another form', 'x'],
  ])('is nobody with %s', async (_what, token) => {
    const { status, data, errors } = await gateway.graphql('{ viewer { uuid } }', {}, token);
    expect(status).toBe(401);
    expect(data).toBeNull();
    expect(errors?.[0].extensions.code).toBe('UNAUTHENTICATED');
  });
});

describe('createApiToken', () => {
  it('makes a token that works, and shows it this once', async () => {
    const ada = await gateway.user();
    const created = await create(
      { name: ' laptop ', scopes: ['USER_READ', 'TOKENS_WRITE', 'USER_READ'] },
      ada,
    );
    expect(created).toEqual({
      __typename: 'CreateApiTokenPayload',
      token: expect.stringMatching(/^gth_[\w-]{49}$/),
      apiToken: {
        id: globalId('ApiToken', created.apiToken.uuid),
        uuid: expect.stringMatching(/^[0-9a-f]{8}-/),
        name: 'laptop',
        prefix: created.token.slice(0, 8),
        scopes: ['USER_READ', 'TOKENS_WRITE'],
        expiresAt: null,
        lastUsedAt: null,
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      },
    });
    expect((await whoAmI(created.token)).data).toEqual({ viewer: { username: ada.username } });
    expect(JSON.stringify(await list(ada))).not.toContain(created.token);
  });

  it('stores no more of the token than its hash and its first characters', async () => {
    const ada = await gateway.user();
    const { token } = await create({ name: 'laptop', scopes: ['USER_READ'] }, ada);
    const rows = await gateway.runtime.db.$queryRaw<
      { row: string }[]
    >`SELECT t::text AS row FROM api_tokens t`;
    expect(JSON.stringify(rows)).not.toContain(token.slice(8, 30));
    expect(gateway.logLines.join('')).not.toContain(token.slice(8, 30));
  });

  it('writes who made it into the audit trail, in the same transaction', async () => {
    const ada = await gateway.user();
    const [{ id: tokenId = '' } = {}] = await gateway.runtime.db.apiToken.findMany({
      where: { userId: ada.id },
    });
    const response = await gateway.fetch('/graphql', {
      method: 'POST',
      token: ada.token,
      headers: { 'content-type': 'application/json', 'x-request-id': 'request-5678' },
      body: JSON.stringify({
        query: CREATE,
        variables: { input: { name: 'laptop', scopes: ['USER_READ'] } },
      }),
    });
    const { data } = (await response.json()) as { data: { createApiToken: { apiToken: { uuid: string } } } };
    expect((await audited(ada.id)).at(-1)).toMatchObject({
      action: 'api_token.create',
      tokenId,
      requestId: 'request-5678',
      targetType: 'api_token',
      targetId: data.createApiToken.apiToken.uuid,
      details: { name: 'laptop', scopes: ['user:read'] },
    });
  });

  it.each([
    ['an empty name', { name: '  ' }, ['input', 'name'], 'Name must not be empty.'],
    [
      'a long name',
      { name: 'x'.repeat(129) },
      ['input', 'name'],
      'Name is too long: at most 128 characters.',
    ],
    ['no scope', { scopes: [] }, ['input', 'scopes'], 'Scopes must name at least one scope.'],
    [
      'an end in the past',
      { expiresAt: '2020-01-01' },
      ['input', 'expiresAt'],
      'Expiry must be in the future.',
    ],
  ])('refuses %s', async (_what, change, path, message) => {
    const ada = await gateway.user();
    const refused = await expectNothingStored(gateway, () =>
      create({ name: 'laptop', scopes: ['USER_READ'], ...change }, ada),
    );
    expect(refused).toEqual({
      __typename: 'InvalidInput',
      code: 'INVALID_INPUT',
      message,
      path,
      issues: [{ path, message }],
    });
  });

  it('names all faults at once', async () => {
    const { issues } = await create({ name: '', scopes: [] }, await gateway.user());
    expect(issues.map(({ path }: { path: string[] }) => path.join('.'))).toEqual([
      'input.name',
      'input.scopes',
    ]);
  });

  it('gives away no scope that the own token lacks', async () => {
    const enumName = (scope: Scope) => scope.replace(/\W/g, '_').toUpperCase();
    const narrow = await gateway.user(['tokens:write', 'ssh_keys:write']);
    const excess = allScopes.filter(
      (scope) => !['tokens:write', 'ssh_keys:write', 'ssh_keys:read'].includes(scope),
    );
    for (const scope of excess) {
      const refused = await create({ name: 'x', scopes: [enumName(scope)] }, narrow);
      expect(refused).toMatchObject({ code: 'INVALID_INPUT', path: ['input', 'scopes'] });
      expect(refused.message).toBe(`Your own token lacks ${scope}, so it cannot give that away.`);
    }
    // Writing includes reading.
    const allowed = await create({ name: 'x', scopes: ['SSH_KEYS_READ', 'TOKENS_WRITE'] }, narrow);
    expect(allowed.__typename).toBe('CreateApiTokenPayload');
  });

  it.each([['user:read'], ['ssh_keys:write'], ['external_auth:token']] as Scope[][])(
    'is FORBIDDEN to a token of %s',
    async (scope) => {
      const narrow = await gateway.user([scope as Scope]);
      const { data, errors } = await gateway.graphql(
        CREATE,
        { input: { name: 'x', scopes: ['USER_READ'] } },
        narrow.token,
      );
      expect(data).toBeNull();
      expect(errors?.[0].extensions).toEqual({ code: 'FORBIDDEN' });
      expect(errors?.[0].message).toBe('Your token lacks the scope tokens:write.');
    },
  );
});

describe('a token with an end', () => {
  it('works until then, and not a moment longer', async () => {
    const ada = await gateway.user();
    const expiresAt = new Date(gateway.runtime.clock().getTime() + 10 * MINUTE).toISOString();
    const { token, apiToken } = await create({ name: 'short', scopes: ['USER_READ'], expiresAt }, ada);
    expect(apiToken.expiresAt).toBe(expiresAt);
    gateway.advance(9 * MINUTE);
    expect((await whoAmI(token)).status).toBe(200);
    gateway.advance(2 * MINUTE);
    expect((await whoAmI(token)).status).toBe(401);
  });
});

describe('revokeApiToken', () => {
  it('ends a token at once, and writes that into the audit trail', async () => {
    const ada = await gateway.user();
    const { token, apiToken } = await create({ name: 'lost', scopes: ['USER_READ'] }, ada);
    expect((await whoAmI(token)).status).toBe(200);
    const { data } = await gateway.graphql(REVOKE, { id: apiToken.id }, ada.token);
    expect(data.revokeApiToken).toEqual({
      __typename: 'RevokeApiTokenPayload',
      revokedTokenId: apiToken.id,
    });
    expect((await whoAmI(token)).status).toBe(401);
    expect((await list(ada)).totalCount).toBe(1);
    expect((await audited(ada.id)).at(-1)).toMatchObject({
      action: 'api_token.revoke',
      targetId: apiToken.uuid,
      details: { name: 'lost' },
    });
  });

  it('ends the very token that asks', async () => {
    const ada = await gateway.user();
    const [{ node }] = (await list(ada)).edges;
    expect((await gateway.graphql(REVOKE, { id: node.id }, ada.token)).status).toBe(200);
    expect((await whoAmI(ada.token)).status).toBe(401);
  });

  it('succeeds once when asked several times at once', async () => {
    const ada = await gateway.user();
    const { apiToken } = await create({ name: 'lost', scopes: ['USER_READ'] }, ada);
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => gateway.graphql(REVOKE, { id: apiToken.id }, ada.token)),
    );
    const names = answers.map(({ data }) => data.revokeApiToken.__typename).sort();
    expect(names).toEqual(['NotFound', 'NotFound', 'NotFound', 'NotFound', 'RevokeApiTokenPayload']);
    const revocations = (await audited(ada.id)).filter(({ action }) => action === 'api_token.revoke');
    expect(revocations).toHaveLength(1);
  });

  it('knows no token that is gone or never was', async () => {
    const ada = await gateway.user();
    const { data } = await gateway.graphql(REVOKE, { id: globalId('ApiToken') }, ada.token);
    expect(data.revokeApiToken).toEqual({
      __typename: 'NotFound',
      code: 'NOT_FOUND',
      message: 'The token was not found.',
      path: ['input', 'id'],
    });
  });

  it('takes the id of a token, and of nothing else', async () => {
    const ada = await gateway.user();
    const { data, errors } = await gateway.graphql(REVOKE, { id: globalId('User', ada.id) }, ada.token);
    expect(data).toBeNull();
    expect(errors?.[0]).toMatchObject({
      message: 'The id is one of another type: pass the id of: ApiToken.',
      extensions: { code: 'INVALID_INPUT' },
    });
  });
});

describe('a disabled user', () => {
  it('cannot use any token until enabled again', async () => {
    const ada = await gateway.user();
    await setUserDisabled(gateway.runtime, ada.username, true);
    expect((await whoAmI(ada.token)).status).toBe(401);
    await setUserDisabled(gateway.runtime, ada.username, false);
    expect((await whoAmI(ada.token)).status).toBe(200);
    expect((await audited(ada.id)).map(({ action }) => action).slice(-2)).toEqual([
      'user.disable',
      'user.enable',
    ]);
  });
});

describe('last use', () => {
  const WRITE = /^UPDATE "public"."api_tokens" SET "last_used_at"/;

  it('is written at most once a minute, however many requests there are', async () => {
    const ada = await gateway.user();
    const uses = async () => {
      const before = gateway.statements.length;
      for (let n = 0; n < 5; n += 1) {
        await whoAmI(ada.token);
        // The write goes on behind the answer.
        await gateway.runtime.db.$queryRaw`SELECT 1`;
        await new Promise(setImmediate);
      }
      return gateway.statements.slice(before).filter((sql) => WRITE.test(sql)).length;
    };
    expect(await uses()).toBe(1);
    gateway.advance(MINUTE / 2);
    expect(await uses()).toBe(0);
    gateway.advance(MINUTE / 2 + 1);
    expect(await uses()).toBe(1);
  });

  it('is shown', async () => {
    const ada = await gateway.user();
    expect(
      (await gateway.runtime.db.apiToken.findFirstOrThrow({ where: { userId: ada.id } })).lastUsedAt,
    ).toBeNull();
    await whoAmI(ada.token);
    await expect.poll(async () => (await list(ada)).edges[0].node.lastUsedAt).not.toBeNull();
  });
});

describe('the list of tokens', () => {
  const names = (page: { edges: { node: { name: string } }[] }) => page.edges.map(({ node }) => node.name);

  it('begins with the newest, and holds 20 when no number is named', async () => {
    const ada = await userWithTokens(25);
    const page = await list(ada);
    expect(page.totalCount).toBe(25);
    expect(names(page)).toEqual(Array.from({ length: 20 }, (_, n) => `${24 - n}`));
    expect(page.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
  });

  it('is read forwards page by page, each row once', async () => {
    const ada = await userWithTokens(7);
    const pages: string[][] = [];
    let after: string | null = null;
    do {
      const page = await list(ada, { first: 3, after });
      pages.push(names(page));
      after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
    } while (after);
    expect(pages).toEqual([['6', '5', '4'], ['3', '2', '1'], ['test']]);
  });

  it('is read backwards page by page, each row once', async () => {
    const ada = await userWithTokens(7);
    const pages: string[][] = [];
    let before: string | null = null;
    do {
      const page = await list(ada, { last: 3, before });
      pages.push(names(page));
      before = page.pageInfo.hasPreviousPage ? page.pageInfo.startCursor : null;
    } while (before);
    expect(pages).toEqual([['2', '1', 'test'], ['5', '4', '3'], ['6']]);
  });

  // With Prisma's own cursors the page behind a deleted row was empty.
  it('goes on behind a row that was deleted meanwhile', async () => {
    const ada = await userWithTokens(5);
    const first = await list(ada, { first: 2 });
    await gateway.graphql(REVOKE, { id: first.edges[1].node.id }, ada.token);
    const second = await list(ada, { first: 2, after: first.pageInfo.endCursor });
    expect(names(second)).toEqual(['2', '1']);
  });

  it('says where it ends', async () => {
    const ada = await userWithTokens(3);
    const all = await list(ada, { first: 3 });
    expect(all.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: false });
    const beyond = await list(ada, { first: 3, after: all.pageInfo.endCursor });
    expect(beyond).toMatchObject({
      totalCount: 3,
      edges: [],
      pageInfo: { hasNextPage: false, startCursor: null, endCursor: null },
    });
  });
});

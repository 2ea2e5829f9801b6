import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway, type TestUser, useGateway } from '../harness.ts';
import { type Behaviour, cut, json, startStub, status, text } from '../upstream/stub.ts';
import { createGate, linkWithTokens, stubEnv } from './link-account.ts';

const stub = await startStub();
afterAll(() => stub.close());

const MANY = ['one', 'two', 'three', 'four', 'five'];
const env = {
  ...stubEnv(0, 'forge', stub.origin),
  ...stubEnv(1, 'silent', stub.origin, { VALIDATE_URL: '', USERINFO_URL: '' }),
  ...stubEnv(2, 'hub', stub.origin, {
    TYPE: 'github',
    AUTH_URL: `${stub.origin}/login/oauth/authorize`,
    VALIDATE_URL: `${stub.origin}/hub/validate`,
  }),
  ...Object.assign({}, ...MANY.map((id, n) => stubEnv(3 + n, id, stub.origin))),
};
const gateway = useGateway({ env });
const VALIDATE = 'GET /forge/validate';
const USERINFO = {
  sub: '7',
  preferred_username: 'ada',
  name: 'Ada',
  picture: '',
  profile: 'https://forge.example/ada',
};

beforeEach(() => {
  for (const id of ['forge', 'hub', ...MANY]) {
    stub.on(`GET /${id}/validate`, json({}));
    stub.on(`GET /${id}/userinfo`, json(USERINFO));
  }
});

async function linked(providerId = 'forge'): Promise<TestUser> {
  const user = await gateway.user();
  await linkWithTokens(gateway, user, providerId);
  return user;
}

const ask = async (
  { token }: TestUser,
  selection: string,
  providerId = 'forge',
  at: TestGateway = gateway,
) => {
  const { data, errors } = await at.graphql(
    `query ($id: String!) { viewer { externalAuthLink(providerId: $id) { ${selection} } } }`,
    { id: providerId },
    token,
  );
  return { link: data?.viewer.externalAuthLink, errors };
};

const VERDICT = 'authenticated validation validateError';
const LINK_AGAIN = 'Link the account again.';

describe('a token is', () => {
  it.each<[string, Behaviour, object]>([
    ['valid on 200', json({}), { authenticated: true, validation: 'VALID', validateError: null }],
    [
      'invalid on 401',
      status(401),
      {
        authenticated: false,
        validation: 'INVALID',
        validateError: `Forge no longer accepts the token (status 401). ${LINK_AGAIN}`,
      },
    ],
    [
      'invalid on 403',
      status(403),
      {
        authenticated: false,
        validation: 'INVALID',
        validateError: `Forge no longer accepts the token (status 403). ${LINK_AGAIN}`,
      },
    ],
    [
      'rate limited on 403 with Retry-After',
      status(403, { 'retry-after': '60' }),
      { authenticated: true, validation: 'RATE_LIMITED', validateError: null },
    ],
    [
      'rate limited on 403 with nothing left',
      status(403, { 'x-ratelimit-remaining': '0' }),
      { authenticated: true, validation: 'RATE_LIMITED', validateError: null },
    ],
    [
      'rate limited on 429',
      status(429),
      { authenticated: true, validation: 'RATE_LIMITED', validateError: null },
    ],
    [
      'unknown on anything else',
      text('the database is on fire', 500, 'text/plain'),
      {
        authenticated: false,
        validation: 'UNKNOWN',
        validateError: 'Forge could not check the token: status 500: body: the database is on fire',
      },
    ],
    [
      'unknown when the connection is cut',
      cut(),
      {
        authenticated: false,
        validation: 'UNKNOWN',
        validateError: 'Forge cannot be reached (the connection was cut). Try again later.',
      },
    ],
  ])('%s', async (_what, behaviour, expected) => {
    const user = await linked();
    stub.on(VALIDATE, behaviour);
    expect(await ask(user, VERDICT)).toEqual({ link: expected, errors: undefined });
    expect(stub.requests.at(-1)?.headers.authorization).toBe('Bearer access-0');
  });

  it('not validated where there is no way to ask, and never called valid', async () => {
    const user = await linked('silent');
    const before = stub.requests.length;
    expect((await ask(user, `${VERDICT} provider { allowValidate }`, 'silent')).link).toEqual({
      authenticated: true,
      validation: 'NOT_VALIDATED',
      validateError: null,
      provider: { allowValidate: false },
    });
    expect(stub.requests).toHaveLength(before);
  });

  it('unknown when its provider has left the configuration', async () => {
    const user = await gateway.user();
    const { id } = await linkWithTokens(gateway, user, 'forge');
    await gateway.runtime.db.externalAuthLink.update({ where: { id }, data: { providerId: 'gone' } });
    const { link, errors } = await ask(
      user,
      `${VERDICT} provider { id } account { login } installations { id }`,
      'gone',
    );
    expect(errors).toBeUndefined();
    expect(link).toEqual({
      authenticated: false,
      validation: 'UNKNOWN',
      validateError: expect.stringContaining('"gone" is no longer configured'),
      provider: null,
      account: null,
      installations: [],
    });
  });
});

describe('a verdict', () => {
  const calls = async (act: () => Promise<unknown>) => {
    const before = stub.count(VALIDATE);
    await act();
    return stub.count(VALIDATE) - before;
  };

  it('is asked for once in an operation, whatever of it is selected', async () => {
    const user = await linked();
    expect(await calls(() => ask(user, `${VERDICT} account { login } again: validation`))).toBe(1);
  });

  it('is believed for 10 s', async () => {
    const user = await linked();
    expect(await calls(() => ask(user, VERDICT))).toBe(1);
    gateway.advance(9_000);
    expect(await calls(() => ask(user, VERDICT))).toBe(0);
    gateway.advance(1_001);
    expect(await calls(() => ask(user, VERDICT))).toBe(1);
  });

  it('is not believed at all where the administrator says so', async () => {
    const user = await linked();
    const { gateway: strict, close } = await startGateway({
      env: { ...env, EXTERNAL_AUTH_VALIDATE_CACHE_SECONDS: '0' },
      beside: gateway,
    });
    try {
      expect(
        await calls(async () => {
          await ask(user, VERDICT, 'forge', strict);
          await ask(user, VERDICT, 'forge', strict);
        }),
      ).toBe(2);
    } finally {
      await close();
    }
  });

  it('of an old token is none of a new one', async () => {
    const user = await linked();
    stub.on(VALIDATE, status(401));
    expect((await ask(user, VERDICT)).link.validation).toBe('INVALID');
    stub.on(VALIDATE, json({}));
    expect((await ask(user, VERDICT)).link.validation).toBe('INVALID');
    await linkWithTokens(gateway, user, 'forge', { accessToken: 'another' });
    expect((await ask(user, VERDICT)).link.validation).toBe('VALID');
  });

  it('that could not be had is asked for again', async () => {
    const user = await linked();
    stub.on(VALIDATE, status(500), json({}));
    expect((await ask(user, VERDICT)).link.validation).toBe('UNKNOWN');
    expect((await ask(user, VERDICT)).link.validation).toBe('VALID');
  });

  it('is asked for once by many callers at once', async () => {
    const user = await linked();
    const gate = createGate();
    stub.on(VALIDATE, gate.before(json({})));
    expect(
      await calls(async () => {
        const answers = Promise.all(Array.from({ length: 20 }, () => ask(user, VERDICT)));
        await gate.arrived;
        gate.open();
        for (const { link } of await answers) expect(link.validation).toBe('VALID');
      }),
    ).toBe(1);
  });
});

describe('several links', () => {
  async function linkedToMany(): Promise<TestUser> {
    const user = await gateway.user();
    for (const id of MANY) await linkWithTokens(gateway, user, id);
    return user;
  }
  const askAll = ({ token }: TestUser) =>
    gateway.graphql(
      '{ viewer { externalAuthLinks { providerId validation account { login } } } }',
      {},
      token,
    );

  it('are asked about at the same time', async () => {
    const user = await linkedToMany();
    // No provider answers before all have been asked: one after the other would never end.
    const gates = MANY.map((id) => {
      const gate = createGate();
      stub.on(`GET /${id}/validate`, gate.before(json({})));
      return gate;
    });
    const answer = askAll(user);
    await Promise.all(gates.map(({ arrived }) => arrived));
    for (const gate of gates) gate.open();
    const { data, errors } = await answer;
    expect(errors).toBeUndefined();
    expect(data.viewer.externalAuthLinks).toEqual(
      MANY.toReversed().map((providerId) => ({ providerId, validation: 'VALID', account: { login: 'ada' } })),
    );
  });

  it('do not suffer from the failure of one', async () => {
    const user = await linkedToMany();
    stub.on('GET /two/validate', cut());
    stub.on('GET /three/userinfo', status(500));
    const { data, errors } = await askAll(user);
    const byProvider = Object.fromEntries(
      data.viewer.externalAuthLinks.map((link: { providerId: string }) => [link.providerId, link]),
    );
    expect(byProvider).toMatchObject({
      one: { validation: 'VALID', account: { login: 'ada' } },
      two: { validation: 'UNKNOWN', account: null },
      three: { validation: 'VALID', account: null },
      four: { validation: 'VALID', account: { login: 'ada' } },
    });
    expect(errors).toEqual([
      expect.objectContaining({
        message: 'Forge answered with status 500. Try again later.',
        path: ['viewer', 'externalAuthLinks', 2, 'account'],
        extensions: expect.objectContaining({ code: 'PROVIDER_FAILURE' }),
      }),
    ]);
  });
});

describe('the account', () => {
  it('is shown as the provider describes it', async () => {
    const user = await linked();
    expect((await ask(user, 'account { id login name avatarUrl profileUrl }')).link.account).toEqual({
      id: '7',
      login: 'ada',
      name: 'Ada',
      avatarUrl: '',
      profileUrl: 'https://forge.example/ada',
    });
  });

  it('of a token that does not work is not asked for', async () => {
    const user = await linked();
    stub.on(VALIDATE, status(401));
    const asked = stub.count('GET /forge/userinfo');
    expect(await ask(user, 'account { login }')).toEqual({ link: { account: null }, errors: undefined });
    expect(stub.count('GET /forge/userinfo')).toBe(asked);
  });
});

describe('installations', () => {
  const account = {
    id: 1,
    login: 'acme',
    name: 'Acme',
    avatar_url: '',
    html_url: 'https://hub.example/acme',
  };

  it('are listed', async () => {
    const user = await linked('hub');
    stub.on(
      'GET /api/v3/user/installations',
      json({ installations: [{ id: 9, account, html_url: 'https://hub.example/9' }] }),
    );
    const selection = 'installations { id configureUrl account { login } } provider { appInstallable }';
    expect((await ask(user, selection, 'hub')).link).toEqual({
      installations: [{ id: 9, configureUrl: 'https://hub.example/9', account: { login: 'acme' } }],
      provider: { appInstallable: true },
    });
  });

  it('that cannot be told are an empty list, and a line in the log', async () => {
    const user = await linked('hub');
    stub.on('GET /api/v3/user/installations', status(500));
    expect(await ask(user, 'installations { id }', 'hub')).toEqual({
      link: { installations: [] },
      errors: undefined,
    });
    expect(gateway.logLines.some((line) => line.includes('cannot list installations'))).toBe(true);
  });
});

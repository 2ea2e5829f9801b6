import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ProviderSettings, parseProviders } from '../../src/external-auth/provider-settings.ts';
import { createProvider } from '../../src/external-auth/providers/create-provider.ts';
import { cutText } from '../../src/external-auth/providers/explain.ts';
import { compilePattern } from '../../src/external-auth/providers/match-pattern.ts';
import { readOAuthAnswer } from '../../src/external-auth/providers/oauth-answer.ts';
import { type ExternalAccount, ProviderFailure } from '../../src/external-auth/providers/provider.ts';

// A provider's answer is anybody's text. Whatever it is, it becomes what we know how to show, or a failure in words.

const anyText = fc.string({ unit: 'binary', maxLength: 200 });
const anyStatus = fc.integer({ min: 200, max: 599 }).filter((code) => ![204, 205, 304].includes(code));

/** A provider that answers every call in one way. */
function providerThatAnswers(type: string, answer: () => Response) {
  const { providers } = parseProviders(
    {
      EXTERNAL_AUTH_0_ID: 'acme',
      EXTERNAL_AUTH_0_TYPE: type,
      EXTERNAL_AUTH_0_DISPLAY_NAME: 'acme',
      EXTERNAL_AUTH_0_CLIENT_ID: 'the-client',
      EXTERNAL_AUTH_0_CLIENT_SECRET: 'the-client-secret',
      EXTERNAL_AUTH_0_AUTH_URL: 'https://acme.example/authorize',
      EXTERNAL_AUTH_0_TOKEN_URL: 'https://acme.example/token',
      EXTERNAL_AUTH_0_API_BASE_URL: 'https://acme.example/api',
      EXTERNAL_AUTH_0_VALIDATE_URL: 'https://acme.example/check',
      EXTERNAL_AUTH_0_USERINFO_URL: 'https://acme.example/me',
    },
    null,
  );
  return createProvider(providers[0] as ProviderSettings, {
    fetch: async () => answer(),
    clock: () => new Date(),
  });
}

const isLink = (text: string) => text === '' || /^https?:\/\//i.test(text);

function expectSound(account: ExternalAccount): void {
  expect(account.id).not.toBe('');
  for (const text of Object.values(account)) expect(text).toBeTypeOf('string');
  expect(isLink(account.avatarUrl) && isLink(account.profileUrl)).toBe(true);
}

/** Objects that have the right fields more often than chance would have it, and wrong things in them. */
const nearlyAccount = fc.record(
  Object.fromEntries(
    [
      'id',
      'uuid',
      'sub',
      'login',
      'username',
      'name',
      'display_name',
      'avatar_url',
      'html_url',
      'web_url',
      'picture',
      'links',
      'slug',
      'ok',
      'user_id',
      'user',
      'url',
    ].map((key) => [
      key,
      fc.oneof(
        fc.jsonValue(),
        fc.constantFrom<unknown>('octocat', 7, 1.5, 'javascript:alert(1)', 'https://a.example/b', true, {
          avatar: { href: 'data:text/html,x' },
          html: {},
        }),
      ),
    ]),
  ),
  { requiredKeys: [] },
);

describe('whatever a provider answers', () => {
  it.each(['github', 'gitlab', 'gitea', 'bitbucket-cloud', 'slack', 'oauth2'])(
    'the account at %s is one that front ends can show, or a failure',
    async (type) => {
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(nearlyAccount, fc.jsonValue()),
          anyStatus,
          fc.boolean(),
          async (body, code, isFine) => {
            const provider = providerThatAnswers(type, () =>
              Response.json(body, { status: isFine ? 200 : code }),
            );
            const outcome = await provider.account('the-token').catch((error: unknown) => error);
            if (outcome instanceof ProviderFailure) expect(outcome.message).toMatch(/^acme /);
            else if (outcome !== null) expectSound(outcome as ExternalAccount);
          },
        ),
      );
    },
  );

  it('installations are such accounts, or a failure', async () => {
    const installation = fc.record(
      {
        id: fc.oneof(fc.nat(), fc.jsonValue()),
        account: fc.oneof(nearlyAccount, fc.jsonValue()),
        html_url: fc.webUrl(),
      },
      { requiredKeys: ['id'] },
    );
    const body = fc.record({
      total_count: fc.oneof(fc.nat({ max: 3_000 }), fc.jsonValue()),
      installations: fc.oneof(fc.array(installation, { maxLength: 3 }), fc.jsonValue()),
    });
    await fc.assert(
      fc.asyncProperty(body, async (answer) => {
        let calls = 0;
        const provider = providerThatAnswers('github', () => {
          calls += 1;
          return Response.json(answer);
        });
        const outcome = await provider.installations('the-token').catch((error: unknown) => error);
        expect(calls).toBeLessThanOrEqual(10);
        if (outcome instanceof ProviderFailure) return;
        for (const { account } of outcome as { account: ExternalAccount }[]) expectSound(account);
      }),
    );
  });

  it('a token counts as valid with status 200 or at a rate limit, and never otherwise', async () => {
    const headers = fc.record(
      { 'retry-after': fc.constantFrom('5', 'soon'), 'x-ratelimit-remaining': fc.constantFrom('0', '1') },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(anyStatus, headers, anyText, async (code, given, body) => {
        const provider = providerThatAnswers(
          'oauth2',
          () => new Response(body, { status: code, headers: given }),
        );
        const { state } = await provider.validate('the-token');
        const isLimited =
          code === 429 ||
          (code === 403 && ('retry-after' in given || given['x-ratelimit-remaining'] === '0'));
        const expected =
          code === 200
            ? 'valid'
            : isLimited
              ? 'rate_limited'
              : code === 401 || code === 403
                ? 'invalid'
                : 'unknown';
        expect(state).toBe(expected);
      }),
    );
  });

  it('a renewal brings a token, or a failure that gives no secret away', async () => {
    const secret = 'refresh-token-of-ada';
    const fields = fc.record(
      {
        access_token: fc.oneof(fc.constant('a'), fc.jsonValue()),
        token_type: fc.oneof(fc.constant('bearer'), fc.jsonValue()),
        refresh_token: fc.jsonValue(),
        expires_in: fc.oneof(fc.nat(), fc.jsonValue()),
        error: fc.constantFrom(secret, 'invalid_grant', `x ${secret} the-client-secret`),
        error_description: fc.constantFrom(secret, `\u202e${secret}\n`),
      },
      { requiredKeys: [] },
    );
    const body = fc.oneof(
      fields.map((value) => JSON.stringify(value)),
      anyText,
    );
    const type = fc.constantFrom('application/json', 'application/x-www-form-urlencoded', 'text/html', '');
    await fc.assert(
      fc.asyncProperty(body, type, anyStatus, fc.boolean(), async (text, contentType, code, isFine) => {
        const provider = providerThatAnswers(
          'oauth2',
          () => new Response(text, { status: isFine ? 200 : code, headers: { 'content-type': contentType } }),
        );
        const outcome = await provider.refresh(secret).catch((error: unknown) => error);
        if (!(outcome instanceof ProviderFailure)) {
          expect((outcome as { accessToken: unknown }).accessToken).toBeTypeOf('string');
          return;
        }
        expect(outcome.message).toMatch(/^acme /);
        expect(`${outcome.message}${outcome.oauthError}`).not.toMatch(`${secret}|the-client-secret`);
      }),
      { numRuns: 300 },
    );
  });
});

it('an OAuth answer is read as JSON whatever its type says, and as a form', async () => {
  const value = fc.stringMatching(/^[a-zA-Z0-9 &=%+é]{1,20}$/);
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(
        fc.stringMatching(/^[a-z_]{1,10}$/).filter((key) => key !== '__proto__'),
        value,
        { minKeys: 1 },
      ),
      fc.constantFrom('application/json', 'text/plain', 'text/html', ''),
      async (given, type) => {
        const fields = { ...given, access_token: 'a' };
        const json = new Response(JSON.stringify(fields), { headers: { 'content-type': type } });
        expect((await readOAuthAnswer(json)).body).toEqual(fields);
        const form = new Response(new URLSearchParams(fields).toString(), {
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
        });
        expect((await readOAuthAnswer(form)).body).toEqual(fields);
      },
    ),
  );
});

it("a provider's words are one line, cut, and hold none of our secrets", () => {
  const secrets = fc.array(fc.stringMatching(/^[a-zA-Z0-9._~-]{6,20}$/), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(secrets, fc.array(anyText), fc.integer({ min: 1, max: 300 }), (given, texts, max) => {
      const said = cutText(
        texts.flatMap((text, i) => [text, given[i % given.length] ?? '']).join(''),
        given,
        max,
      );
      for (const secret of given) expect(said).not.toContain(secret);
      expect(said).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      expect(said.length).toBeLessThanOrEqual(max + 1);
      expect(said.isWellFormed()).toBe(true);
    }),
  );
});

it('a pattern is an expression or a fault, whatever somebody writes', () => {
  const piece = fc.oneof(
    fc.string({ maxLength: 5 }),
    fc.constantFrom(
      '(',
      ')',
      '(?P<a>',
      '(?i)',
      '\\A',
      '\\z',
      '[',
      ']',
      '*',
      '+',
      '{2,',
      '}',
      '|',
      '.',
      '\\d',
      '$',
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const { regex, fault } = compilePattern(pieces.join(''));
      expect((regex === undefined) !== (fault === undefined)).toBe(true);
    }),
    { numRuns: 200 },
  );
});

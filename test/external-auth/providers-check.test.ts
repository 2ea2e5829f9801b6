import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkProviders, printReport } from '../../src/cli/providers.ts';
import { parseConfig } from '../../src/config.ts';
import { type GitHubStub, startGitHub } from '../upstream/github.ts';
import { startUpstream, type Upstream } from '../upstream/oidc.ts';
import * as stubs from '../upstream/stub.ts';

let github: GitHubStub;
let oidc: Upstream;
beforeAll(async () => {
  [github, oidc] = await Promise.all([startGitHub(), startUpstream()]);
  github.on('GET /login/oauth/authorize', stubs.redirect('/login'));
});
afterAll(() => Promise.all([github.close(), oidc.close()]));

async function check(env: Record<string, string>) {
  const [report] = await checkProviders(parseConfig({ PUBLIC_URL: 'https://gate.example', ...env }), fetch);
  if (!report) throw new Error('nothing was checked');
  return report;
}

const outcomes = ({ checks }: Awaited<ReturnType<typeof check>>) =>
  Object.fromEntries(checks.map(({ what, outcome }) => [what, outcome]));

it('finds nothing wrong with healthy providers', async () => {
  const allFine = {
    'sign-in page': 'ok',
    'client credentials': 'ok',
    'device flow': 'ok',
    validation: 'ok',
    revocation: 'skipped',
  };
  expect(outcomes(await check(github.env(0, 'github')))).toEqual(allFine);
  expect(outcomes(await check(oidc.env(0, 'oidc', { SCOPES: 'openid' })))).toEqual(allFine);
});

it('tells what was configured and what was derived, without the secret', async () => {
  const report = await check(github.env(0, 'github'));
  expect(report).toMatchObject({
    id: 'github',
    source: 'EXTERNAL_AUTH_0_*',
    callbackUrl: 'https://gate.example/external-auth/github/callback',
  });
  expect(report.settings).toContainEqual({
    name: 'AUTH_URL',
    value: `${github.origin}/login/oauth/authorize`,
    origin: 'configured',
  });
  expect(report.settings).toContainEqual({
    name: 'TOKEN_URL',
    value: `${github.origin}/login/oauth/access_token`,
    origin: 'derived',
  });
  const text = printReport([report]);
  expect(text).toContain(`TOKEN_URL             ${github.origin}/login/oauth/access_token   (derived)`);
  expect(text + JSON.stringify(report)).not.toContain(github.clientSecret);
});

it('finds wrong credentials', async () => {
  const report = await check(github.env(0, 'github', { CLIENT_SECRET: 'not-the-secret' }));
  expect(report.checks).toContainEqual({
    what: 'client credentials',
    outcome: 'wrong',
    detail:
      'GitHub refused to renew the token: incorrect_client_credentials (The client_id and/or client_secret passed are incorrect.).',
  });
});

it('finds wrong addresses', async () => {
  const report = await check(
    github.env(0, 'github', {
      AUTH_URL: `${github.origin}/nowhere`,
      TOKEN_URL: `${github.origin}/nowhere`,
      VALIDATE_URL: `${github.origin}/login/oauth/authorize`,
    }),
  );
  expect(outcomes(report)).toMatchObject({
    'sign-in page': 'wrong',
    'client credentials': 'wrong',
    validation: 'wrong',
  });
});

it('finds a provider that is not there', async () => {
  const gone = await stubs.startStub();
  await gone.close();
  const report = await check(oidc.env(0, 'oidc', { ISSUER: gone.origin }));
  expect(outcomes(report)).toMatchObject({ 'sign-in page': 'wrong', 'client credentials': 'wrong' });
});

it('says so when there is none', () => {
  expect(printReport([])).toMatch('No provider is configured');
});

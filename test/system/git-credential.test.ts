import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../src/config.ts';
import { type Listener, listen } from '../../src/http/listen.ts';
import { type TestUser, useGateway } from '../harness.ts';
import { linkByDevice } from '../rest/coder-link.ts';
import { type Ended, GATEHOUSE, run } from '../run-command.ts';
import { startUpstream } from '../upstream/oidc.ts';
import { json, redirect, startStub, status } from '../upstream/stub.ts';
import { startGitServer } from './git-server.ts';

const git = await startGitServer(['team/site.git', 'acme/site.git']);
const upstream = await startUpstream();
const stub = await startStub();
afterAll(() => Promise.all([git.close(), upstream.close(), stub.close()]));

const host = git.host.replaceAll('.', '\\.');
const gateway = useGateway({
  env: {
    ...upstream.env(0, 'forge', { REGEX: host }),
    ...upstream.env(1, 'forge-acme', { REGEX: `${host}/acme/` }),
  },
});

let listener: Listener;
/** Where the gateway listens. */
let url: string;
let home: string;

beforeAll(async () => {
  listener = await listen({ host: '127.0.0.1', port: 0 } as Config['http'], async (request) => {
    const { method, headers } = request;
    return gateway.fetch(new URL(request.url).pathname, { method, headers, body: await request.text() });
  });
  url = `http://127.0.0.1:${listener.port}`;
  // Whoever owns the token that came decides what may be read: at the upstream "ada" is of the team, "grace" of acme.
  git.allow(async (credentials, path) => {
    const [token, password] = credentials.split(':');
    const response = await fetch(`${upstream.issuer}/me`, { headers: { authorization: `Bearer ${token}` } });
    const { sub } = (response.status === 200 ? await response.json() : {}) as { sub?: string };
    return password === '' && sub === (path.startsWith('/acme/') ? 'grace' : 'ada');
  });
});
afterAll(() => listener.close(0));

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'gatehouse-home-'));
  return () => rmSync(home, { recursive: true });
});

/** The user's machine: an empty home, and the helper set up as docs/machines.md says. */
function machine(user: { token: string }, more: Record<string, string> = {}): Record<string, string> {
  const helper = `!${GATEHOUSE.join(' ')} git-credential`;
  writeFileSync(
    join(home, '.gitconfig'),
    `[credential "http://${git.host}"]\n\thelper = "${helper}"\n\tuseHttpPath = true\n`,
  );
  const quiet = { GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_NOSYSTEM: '1' };
  return { HOME: home, ...quiet, GATEHOUSE_URL: url, GATEHOUSE_TOKEN: user.token, ...more };
}

const clone = (repository: string, env: Record<string, string>) =>
  run(['git', 'clone', '--quiet', `http://${git.host}/${repository}`, 'clone'], { cwd: home, env });

const cloned = () => readFileSync(join(home, 'clone', 'README'), 'utf8');

async function linked(provider = 'forge', login = 'ada'): Promise<TestUser> {
  const user = await gateway.user(['external_auth:token', 'external_auth:write']);
  await linkByDevice(gateway, upstream, user.token, provider, login);
  return user;
}

describe('git clone', () => {
  it('reads with the linked account what nobody else may, and is on record', async () => {
    const user = await linked();
    expect(await clone('team/site.git', machine(user))).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(cloned()).toBe('team/site.git\n');
    expect(
      await gateway.runtime.db.auditEvent.count({
        where: { userId: user.id, action: 'external_auth.token_handed_out' },
      }),
    ).toBe(1);
  });

  it('takes the provider that serves the path most specifically', async () => {
    const user = await linked('forge', 'ada');
    await linkByDevice(gateway, upstream, user.token, 'forge-acme', 'grace');
    expect(await clone('acme/site.git', machine(user))).toMatchObject({ code: 0 });
    expect(cloned()).toBe('acme/site.git\n');
  });

  it('goes on after the token has expired: it is renewed', async () => {
    const user = await linked();
    await clone('team/site.git', machine(user));
    const first = git.credentials.at(-1);
    rmSync(join(home, 'clone'), { recursive: true });
    const asked = upstream.count();
    gateway.advance(3_700_000);
    expect(await clone('team/site.git', machine(user))).toMatchObject({ code: 0 });
    expect(cloned()).toBe('team/site.git\n');
    expect(upstream.count()).toBe(asked + 1);
    expect(git.credentials.at(-1)).not.toBe(first);
  });

  it('says where to link when nothing is linked, and asks nobody for a password', async () => {
    const { token } = await gateway.user(['external_auth:token']);
    const { code, stderr } = await clone('acme/site.git', machine({ token }, { GIT_TERMINAL_PROMPT: '1' }));
    expect(code).not.toBe(0);
    expect(stderr).toContain(
      `Gatehouse: No account is linked for ${git.host} (forge-acme), or its link no longer works. Link it at ${gateway.origin}/external-auth/forge-acme and try again.\n`,
    );
    expect(stderr).toContain('told us to quit');
    expect(stderr).not.toContain('Username');
  });

  it("takes the settings from the user's own file", async () => {
    const { token } = await linked();
    const { GATEHOUSE_URL, GATEHOUSE_TOKEN, ...env } = machine({ token });
    mkdirSync(join(home, '.config/gatehouse'), { recursive: true });
    writeFileSync(
      join(home, '.config/gatehouse/env'),
      `# a laptop\nGATEHOUSE_URL=${GATEHOUSE_URL}/\nGATEHOUSE_TOKEN="${GATEHOUSE_TOKEN}"\n`,
      { mode: 0o600 },
    );
    expect(await clone('team/site.git', env)).toMatchObject({ code: 0 });
  });

  it("leaves other hosts to git's other helpers", async () => {
    const { token } = await linked();
    const env = machine({ token });
    const other = await startGitServer(['team/site.git']);
    other.allow(async (credentials) => credentials === 'me:mine');
    writeFileSync(
      join(home, '.gitconfig'),
      `[credential]\n\thelper = "!${GATEHOUSE.join(' ')} git-credential"\n\thelper = "!printf 'username=me\\\\npassword=mine\\\\n' #"\n`,
    );
    const result = await run(['git', 'clone', '--quiet', `http://${other.host}/team/site.git`, 'clone'], {
      cwd: home,
      env,
    });
    await other.close();
    expect(result).toEqual({ code: 0, stdout: '', stderr: '' });
  });
});

describe('the helper', () => {
  const ask = (
    operation: string,
    env: Record<string, string>,
    { cwd, request, args = [] }: { cwd?: string; request?: string; args?: string[] } = {},
  ): Promise<Ended> =>
    run([...GATEHOUSE, 'git-credential', ...args, operation], {
      cwd,
      env: { HOME: home, ...env },
      input:
        request ?? `protocol=http\nhost=${git.host}\npath=team/site.git\nwwwauth[]=Basic realm="git"\n\n`,
    });
  /** What is printed when there is no token: the reason for people, and for git that it ends here. */
  const quits = (reason: string | RegExp) => ({
    code: 0,
    stdout: 'quit=1\n',
    stderr: expect.stringMatching(reason instanceof RegExp ? reason : `^Gatehouse: ${reason}\n$`),
  });

  it("prints the protocol, with the token's end", async () => {
    const { token } = await linked();
    const { code, stdout, stderr } = await ask('get', { GATEHOUSE_URL: url, GATEHOUSE_TOKEN: token });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [, end] = /^username=\S{20,}\npassword=\npassword_expiry_utc=(\d+)\n$/.exec(stdout) ?? [];
    const now = gateway.runtime.clock().getTime() / 1_000;
    expect(Number(end)).toBeGreaterThan(now + 3_000);
    expect(Number(end)).toBeLessThan(now + 3_700);
  });

  it.each(['store', 'erase', 'capability', 'something-new'])(
    'ignores "%s", and asks nobody',
    async (operation) => {
      const asked = stub.requests.length;
      expect(await ask(operation, { GATEHOUSE_URL: stub.origin, GATEHOUSE_TOKEN: 't' })).toEqual({
        code: 0,
        stdout: '',
        stderr: '',
      });
      expect(stub.requests).toHaveLength(asked);
    },
  );

  it.each([
    [
      'is unknown',
      'gth_unknown',
      /^Gatehouse: GATEHOUSE_TOKEN is unknown at \S+, has expired or was revoked. .+\n$/,
    ],
    ['has a line break', 'a\nb', /^Gatehouse: GATEHOUSE_TOKEN has characters that no token has.\n$/],
  ])('says that the token %s', async (_what, token, reason) => {
    expect(await ask('get', { GATEHOUSE_URL: url, GATEHOUSE_TOKEN: token })).toEqual(quits(reason));
  });

  it('says that the token lacks the scope', async () => {
    const { token } = await gateway.user(['external_auth:write']);
    expect(await ask('get', { GATEHOUSE_URL: url, GATEHOUSE_TOKEN: token })).toEqual(
      quits('GATEHOUSE_TOKEN lacks the scope external_auth:token. Set one that has it.'),
    );
  });

  it('says that the gateway is away', async () => {
    const gone = await startStub();
    await gone.close();
    expect(await ask('get', { GATEHOUSE_URL: gone.origin, GATEHOUSE_TOKEN: 't' })).toEqual(
      quits(`The gateway at ${gone.origin} cannot be reached \\(ECONNREFUSED\\). .+`),
    );
  });

  it('waits only so long for one that never answers', async () => {
    const silent: Server = createServer(() => {}).listen(0, '127.0.0.1');
    const address = await new Promise<string>((resolve) =>
      silent.once('listening', () =>
        resolve(`http://127.0.0.1:${(silent.address() as { port: number }).port}`),
      ),
    );
    const args = ['--timeout', '1'];
    expect(await ask('get', { GATEHOUSE_URL: address, GATEHOUSE_TOKEN: 't' }, { args })).toEqual(
      quits(`The gateway at ${address} did not answer within 1 seconds. Try again.`),
    );
    silent.close();
  });

  it.each([
    ['a page', status(404), /is none of a gateway's answers/],
    ['other JSON', json([1]), /is none of a gateway's answers/],
    ['null', json(null), /is none of a gateway's answers/],
    ['a redirect', redirect('http://elsewhere.example/'), /has moved to http:\/\/elsewhere.example\//],
    [
      'what would steer a terminal',
      json({ errors: [{ message: 'a\u001b[2J\r\nb', extensions: { code: 'X' } }] }),
      /^Gatehouse: The gateway has no token to give: a \[2J b\n$/,
    ],
    [
      'what would say more to git than a password',
      json({ data: { externalAuthToken: { credentials: { username: 'a\nhost=b', password: 'c' } } } }),
      /^Gatehouse: The username has a line break, which git could not read.\n$/,
    ],
  ])('explains an answer that is %s', async (_what, behaviour, reason) => {
    stub.on('POST /graphql', behaviour);
    expect(await ask('get', { GATEHOUSE_URL: stub.origin, GATEHOUSE_TOKEN: 't' })).toEqual(quits(reason));
  });

  it('says what is not set', async () => {
    expect(await ask('get', {})).toEqual(
      quits(`Set GATEHOUSE_URL and GATEHOUSE_TOKEN in the environment, or in ${home}/.config/gatehouse/env.`),
    );
    expect(
      await ask('get', { GATEHOUSE_URL: 'https://a:b@gatehouse.example', GATEHOUSE_TOKEN: 't' }),
    ).toEqual(quits('GATEHOUSE_URL takes an address such as https://gatehouse.example.'));
  });

  it('refuses a file that others may read', async () => {
    mkdirSync(join(home, '.config/gatehouse'), { recursive: true });
    writeFileSync(join(home, '.config/gatehouse/env'), `GATEHOUSE_URL=${url}\nGATEHOUSE_TOKEN=t\n`, {
      mode: 0o644,
    });
    expect(await ask('get', {})).toEqual(quits(/holds a token, and others may read it. Run: chmod 600 /));
  });

  // git runs its helpers in the repository: whoever wrote that would be sent the token.
  it('takes nothing from the folder that it runs in', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'gatehouse-hostile-'));
    writeFileSync(join(cwd, '.env'), `GATEHOUSE_URL=${stub.origin}\n`);
    writeFileSync(join(cwd, 'gatehouse.yaml'), ': no settings');
    const asked = stub.requests.length;
    const result = await ask('get', { GATEHOUSE_TOKEN: 'gth_secret' }, { cwd });
    rmSync(cwd, { recursive: true });
    expect(result).toEqual(quits(/^Gatehouse: Set GATEHOUSE_URL in /));
    expect(stub.requests).toHaveLength(asked);
  });

  it('gives no token to a host without TLS, unless it is told to', async () => {
    const request = 'protocol=http\nhost=git.example\n\n';
    const env = { GATEHOUSE_URL: stub.origin, GATEHOUSE_TOKEN: 't' };
    const asked = stub.requests.length;
    expect(await ask('get', env, { request })).toEqual({
      code: 0,
      stdout: '',
      stderr:
        'Gatehouse: No token is given to http://git.example: without TLS, all on the way could read it. See --allow-http.\n',
    });
    expect(stub.requests).toHaveLength(asked);
    stub.on(
      'POST /graphql',
      json({ data: { externalAuthToken: { credentials: { username: 'u', password: 'p' } } } }),
    );
    expect(await ask('get', env, { request, args: ['--allow-http'] })).toEqual({
      code: 0,
      stdout: 'username=u\npassword=p\n',
      stderr: '',
    });
  });
});

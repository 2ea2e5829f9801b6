import { readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { graphql, run, serve, useDataDir } from './server.ts';

// The real program, as its users start it.

// Processes take their time on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const dataDir = useDataDir();

const ME = '{ viewer { username } }';

describe('gatehouse', () => {
  it('starts from nothing, is managed beside, refuses a second owner, stops, and starts again', async () => {
    const env = { DATA_DIR: dataDir.path };
    const first = await serve(env);

    // The line for pasting, as a shell would run it.
    const [, url = '', token = '', body = ''] =
      /^ {2}curl (\S+) -H 'Authorization: Bearer (\S+)' -H 'Content-Type: application\/json' -d '(.*)'$/m.exec(
        first.greeting,
      ) ?? [];
    expect(url).toBe(`${first.origin}/graphql`);
    const answer = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body,
    });
    expect(await answer.json()).toEqual({ data: { viewer: { username: 'admin' } } });
    expect(first.greeting.match(/gth_/g)).toHaveLength(2);
    expect(first.log()).not.toContain('gth_');
    for (const line of first.log().trim().split('\n')) expect(() => JSON.parse(line)).not.toThrow();

    // Beside it: a token works at once, and stops at once.
    expect((await run(['user', 'create', 'ada'], env)).out).toMatch(/^The user "ada" was made/);
    const made = await run(['token', 'create', 'ada', '--scope', 'admin', '--expires', '1h', '--json'], env);
    expect([made.code, made.err]).toEqual([0, '']);
    const ada = JSON.parse(made.out);
    expect((await graphql(first.origin, ada.token, ME)).data.viewer.username).toBe('ada');
    const [all, revoked] = await Promise.all([
      run(['user', 'list'], env),
      run(['token', 'revoke', ada.id], env),
    ]);
    expect(all.out).toMatch(/^USERNAME .*\nada .*\nadmin /);
    expect(revoked.out).toBe('The token "command line" of "ada" is revoked.\n');
    expect((await graphql(first.origin, ada.token, ME)).status).toBe(401);

    const second = await run(['serve'], { ...env, PORT: '0' });
    expect([second.code, second.out]).toEqual([1, '']);
    expect(second.err).toMatch(
      /^The data folder .* is in use by process \d+\. Stop that process, or set DATA_DIR/,
    );

    expect(await first.stop('SIGTERM')).toBe(0);
    expect(readdirSync(dataDir.path).sort()).toEqual(['encryption.key', 'postgres']);
    for (const name of ['.', 'encryption.key', 'postgres']) {
      expect(statSync(join(dataDir.path, name)).mode & 0o077, name).toBe(0);
    }

    const again = await serve(env);
    expect(again.greeting).not.toContain('gth_');
    expect((await graphql(again.origin, token, ME)).data.viewer.username).toBe('admin');
    expect(await again.stop('SIGINT')).toBe(0);
  });

  it.each<[string, string[], Record<string, string>, RegExp]>([
    ['an unknown command', ['surf'], {}, /^error: unknown command 'surf'/],
    ['an unknown option', ['serve', '--fast'], {}, /^error: unknown option '--fast'/],
    [
      'wrong settings, all of them',
      ['serve'],
      { PORT: '99999', LOG_LEVEL: 'loud', DATABASE_URL: 'mysql://root:hunter2@db/x' },
      /^The configuration is wrong:\n {2}- PORT takes .*\n {2}- DATABASE_URL takes a URL that begins with postgres:.*\n {2}- LOG_LEVEL takes .*\n {2}- ENCRYPTION_KEYS is required.*\n$/,
    ],
    [
      'a database that is not there',
      ['serve'],
      {
        PORT: '0',
        DATABASE_URL: 'postgres://user:hunter2@127.0.0.1:1/x',
        ENCRYPTION_KEYS: Buffer.alloc(32, 1).toString('base64'),
      },
      /^The database at 127\.0\.0\.1:1 cannot be reached \(ECONNREFUSED\)\. Start it, or correct DATABASE_URL\.\n$/,
    ],
    [
      'a data folder that is none',
      ['serve'],
      { PORT: '0', DATA_DIR: 'package.json' },
      /^The data folder cannot be used: .*Give this user the right to write there, or set DATA_DIR/,
    ],
    [
      'an address of another machine',
      ['serve'],
      { PORT: '0', HOST: '192.0.2.1' },
      /^HOST is 192\.0\.2\.1, which is no address of this machine/,
    ],
    ['an unknown user', ['user', 'disable'], {}, /missing required argument 'username'/],
  ])('ends with 1 and says what to do for %s', async (_what, args, env, message) => {
    const { code, out, err } = await run(args, { DATA_DIR: dataDir.path, ...env });
    expect(err).toMatch(message);
    expect([code, out]).toEqual([1, '']);
  });

  it('makes nothing when its port is taken, above all no token that nobody would see', async () => {
    const other = createServer();
    await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening));
    const { port } = other.address() as { port: number };
    const { code, out, err } = await run(['serve'], { DATA_DIR: dataDir.path, PORT: String(port) });
    other.close();
    expect([code, out]).toEqual([1, '']);
    expect(err).toBe(
      `Port ${port} on 127.0.0.1 is taken by another program, perhaps another gateway. Stop it, or set PORT to another number (0 takes any free one).\n`,
    );
    expect(readdirSync(dataDir.path)).toEqual([]);
  });
});

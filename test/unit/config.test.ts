import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InvalidConfig, parseConfig } from '../../src/config.ts';

const KEY = Buffer.alloc(32, 1).toString('base64');

/** The faults that parsing finds, a line each. */
function faultsOf(env: Record<string, string>): string[] {
  try {
    parseConfig(env);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidConfig);
    const [head, ...faults] = (error as Error).message.split('\n');
    expect(head).toBe('The configuration is wrong:');
    return faults.map((fault) => fault.replace(/^ {2}- /, ''));
  }
  return [];
}

describe('the configuration', () => {
  it('needs no setting at all', () => {
    const config = parseConfig({ PORT: '', DATA_DIR: '' });
    expect(config.http).toEqual({
      port: 4000,
      host: '127.0.0.1',
      publicUrl: 'http://127.0.0.1:4000',
      corsOrigins: [],
    });
    expect(config.database).toMatchObject({ url: null, dataDir: join(process.cwd(), 'data') });
    expect(config.encryptionKeys).toBeNull();
  });

  it('is data alone, which one process can send to another', () => {
    const config = parseConfig({
      ENCRYPTION_KEYS: KEY,
      EXTERNAL_AUTH_0_TYPE: 'github',
      EXTERNAL_AUTH_0_CLIENT_ID: 'x',
      EXTERNAL_AUTH_0_REGEX: '^https://github\\.com/',
    });
    expect(config.externalAuth.providers[0]?.regex).toBeInstanceOf(RegExp);
    expect(structuredClone(config)).toEqual(config);
  });

  it('lets several processes serve with a server only', () => {
    expect(parseConfig({}).workers).toBe(1);
    const DATABASE_URL = 'postgres://localhost/x';
    expect(parseConfig({ WORKERS: '8', DATABASE_URL, ENCRYPTION_KEYS: KEY }).workers).toBe(8);
    expect(faultsOf({ WORKERS: '2' })).toEqual([
      expect.stringMatching(/^WORKERS takes 1 without DATABASE_URL/),
    ]);
    expect(faultsOf({ WORKERS: '0' })).toEqual(['WORKERS takes a whole number from 1 to 256.']);
  });

  it.each([
    [{ HOST: '0.0.0.0' }, 'http://localhost:4000'],
    [{ HOST: '::', PORT: '80' }, 'http://localhost:80'],
    [{ HOST: '::1' }, 'http://[::1]:4000'],
    [{ PUBLIC_URL: 'https://gatehouse.example/' }, 'https://gatehouse.example'],
  ])('with %j is reached at %s', (env, publicUrl) => {
    expect(parseConfig(env as Record<string, string>).http.publicUrl).toBe(publicUrl);
  });

  it('takes lists with blanks, and origins as browsers send them', () => {
    const { http, encryptionKeys } = parseConfig({
      CORS_ORIGINS: ' https://a.example/ , http://localhost:5173,',
      ENCRYPTION_KEYS: `${KEY}, ${KEY.replace('=', '')}`,
    });
    expect(http.corsOrigins).toEqual(['https://a.example', 'http://localhost:5173']);
    expect(encryptionKeys).toEqual(
      [Buffer.alloc(32, 1), Buffer.alloc(32, 1)].map((key) => new Uint8Array(key)),
    );
  });

  it('tells all of its faults at once', () => {
    const faults = faultsOf({
      PORT: '70000',
      PUBLIC_URL: 'https://gatehouse.example/path',
      CORS_ORIGINS: '*,null',
      DATABASE_URL: 'mysql://db/x',
      LOG_LEVEL: 'loud',
      GRAPHIQL: 'yes',
      GATEHOUSE_CONFIG: '/nowhere/gatehouse.yaml',
      EXTERNAL_AUTH_0_TYPE: 'github',
    });
    expect(faults).toEqual([
      'PORT takes a whole number from 0 to 65535.',
      expect.stringMatching(/^PUBLIC_URL takes an origin such as https:\/\/gatehouse\.example/),
      expect.stringMatching(/^CORS_ORIGINS takes an origin such as/),
      expect.stringMatching(/^DATABASE_URL takes a URL that begins with postgres:\/\/ or postgresql:\/\//),
      'LOG_LEVEL takes fatal, error, warn, info, debug, trace or silent.',
      'GRAPHIQL takes true or false.',
      expect.stringMatching(/^ENCRYPTION_KEYS is required with DATABASE_URL/),
      'GATEHOUSE_CONFIG names /nowhere/gatehouse.yaml, which does not exist.',
      expect.stringMatching(/CLIENT_ID/),
    ]);
  });

  it.each([
    ['PORT', 0, 65_535],
    ['DATABASE_POOL_SIZE', 1, 1_000],
    ['MAX_BODY_BYTES', 1_024, 16_777_216],
    ['MAX_QUERY_DEPTH', 3, 100],
    ['MAX_QUERY_COST', 100, 10_000_000],
    ['MAX_QUERY_ALIASES', 1, 1_000],
    ['MAX_QUERY_TOKENS', 100, 100_000],
    ['MAX_PAGE_SIZE', 1, 1_000],
    ['EXECUTION_TIMEOUT_MS', 100, 600_000],
    ['SHUTDOWN_TIMEOUT_MS', 100, 600_000],
    ['SHUTDOWN_DELAY_MS', 0, 600_000],
    ['SSH_KEY_RSA_MIN_BITS', 1_024, 16_384],
    ['SSH_KEY_MAX_LIFETIME_DAYS', 1, 36_500],
    ['EXTERNAL_AUTH_VALIDATE_CACHE_SECONDS', 0, 3_600],
    ['OAUTH_APP_SECRET_GRACE_HOURS', 0, 8_760],
  ])('takes %s from %i to %i, and nothing else', (name, min, max) => {
    for (const value of [min, max]) expect(faultsOf({ [name]: String(value) })).toEqual([]);
    for (const value of [min - 1, max + 1, `${min}.5`, '1e3', '0x10', ' 1', 'NaN', '١']) {
      expect(faultsOf({ [name]: String(value) }), String(value)).toEqual([
        `${name} takes a whole number from ${min} to ${max}.`,
      ]);
    }
  });

  it.each<[string, string[]]>([
    ['PUBLIC_URL', ['gatehouse.example', 'ftp://x', 'https://user:pw@x', 'https://x?y', 'https://X.example']],
    ['CORS_ORIGINS', ['*', 'https://*.example', 'null', 'https://a.example/path']],
    ['ENCRYPTION_KEYS', ['short', `${KEY},short`, ',', Buffer.alloc(33).toString('base64')]],
    ['GATEHOUSE_BOOTSTRAP_TOKEN', ['short', 'a'.repeat(513), `${'a'.repeat(32)} b`, 'é'.repeat(40)]],
    ['INTROSPECTION', ['True', '1', 'on']],
    ['OAUTH_APP_SECRET_READS', ['none', 'FULL']],
  ])('refuses %s of %j', (name, values) => {
    for (const value of values) {
      const faults = faultsOf({ [name]: value });
      expect(faults, value).toHaveLength(1);
      expect(faults[0], value).toMatch(new RegExp(`^${name} `));
    }
  });

  describe('never tells a secret', () => {
    let dir: string;
    beforeAll(() => {
      dir = mkdtempSync(join(tmpdir(), 'gatehouse-test-'));
    });
    afterAll(() => rmSync(dir, { recursive: true }));

    const secret = fc.stringMatching(/^[a-z0-9]{12,20}$/).map((text) => `s3cr3t${text}`);
    const spoil = fc.constantFrom<(text: string) => string>(
      (text) => text,
      (text) => `mysql://root:${text}@db/x`,
      (text) => `postgres://root:${text}@[bad/x`,
      (text) => `${KEY},${text}`,
      (text) => `${text} ${text}`,
      (text) => `: [${text}`,
    );

    it('of the environment', () => {
      fc.assert(
        fc.property(secret, spoil, (text, spoiled) => {
          const value = spoiled(text);
          const faults = faultsOf({
            PORT: 'wrong',
            DATABASE_URL: value,
            ENCRYPTION_KEYS: value,
            GATEHOUSE_BOOTSTRAP_TOKEN: value,
            EXTERNAL_AUTH_0_TYPE: 'generic',
            EXTERNAL_AUTH_0_CLIENT_SECRET: value,
          });
          expect(faults.length).toBeGreaterThan(1);
          expect(faults.join('\n')).not.toContain('s3cr3t');
        }),
      );
    });

    it('of the configuration file, whether it is YAML or not', () => {
      const path = join(dir, 'gatehouse.yaml');
      const document = fc.constantFrom<(text: string) => string>(
        (text) => `externalAuthProviders:\n  - {type: github, clientSecret: ${text}`,
        (text) =>
          `externalAuthProviders:\n  - type: generic\n    clientSecret: ${text}\n    clientSecret: ${text}\n`,
        (text) => `externalAuthProviders:\n  - clientSecret: "${text}\n bad: [`,
        (text) => `externalAuthProviders:\n  - clientSecret: !${text} x\n\t- *${text}`,
        (text) => `${text}: &${text} *${text}`,
      );
      fc.assert(
        fc.property(secret, document, (text, written) => {
          writeFileSync(path, written(text));
          const faults = faultsOf({ GATEHOUSE_CONFIG: path, PORT: 'wrong' });
          expect(faults.length).toBeGreaterThan(1);
          expect(faults.join('\n')).not.toContain('s3cr3t');
        }),
      );
    });
  });
});

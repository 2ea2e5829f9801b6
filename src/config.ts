import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse as parseYaml, type YAMLParseError } from 'yaml';
import { z } from 'zod';
import { OperatorError } from './errors.ts';
import { type ProviderSettings, parseProviders } from './external-auth/provider-settings.ts';

/** What the operator set, parsed once. Nothing else reads the environment. It is data alone: workers are sent it. */
export interface Config {
  /** How many processes serve on the port. More than one only with a database server. */
  workers: number;
  http: {
    port: number;
    host: string;
    /** The address that users reach the gateway at, without a trailing slash. */
    publicUrl: string;
    corsOrigins: string[];
  };
  database: {
    /** The server's address; null means embedded. */
    url: string | null;
    dataDir: string;
    poolSize: number;
    /** Longest run of one statement on a server: a little more than the operation that waits for it has. */
    statementTimeoutMs: number;
  };
  /** 32 bytes each, the first encrypts; null only in embedded mode, where a key is made and kept. */
  encryptionKeys: Uint8Array[] | null;
  bootstrapToken: string | null;
  log: { level: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent' };
  graphql: { graphiql: boolean; introspection: boolean };
  limits: {
    bodyBytes: number;
    queryDepth: number;
    queryCost: number;
    queryAliases: number;
    queryTokens: number;
    pageSize: number;
    executionMs: number;
    /** How long a shutdown waits for the requests in flight. */
    shutdownMs: number;
    /** How long new requests are still taken after readiness has failed, for load balancers that look now and then. */
    shutdownDelayMs: number;
  };
  sshKeys: {
    rsaMinBits: number;
    /** Longest time from now that a key's expiry may be set to; null leaves keys without an end possible. */
    maxLifetimeDays: number | null;
  };
  oauthApps: { secretReads: 'full' | 'masked'; rotationGraceHours: number };
  externalAuth: {
    providers: ProviderSettings[];
    /** How long a provider's word on a token is believed; 0 asks each time. */
    validateCacheSeconds: number;
  };
}

/** One or more settings are wrong; the message names each of them. */
export class InvalidConfig extends OperatorError {
  constructor(faults: string[]) {
    super(`The configuration is wrong:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
  }
}

const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, `takes a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `takes a whole number from ${min} to ${max}`);

const flag = z.enum(['true', 'false'], 'takes true or false').transform((value) => value === 'true');

const url = (protocols: string[]) =>
  z.string().refine(
    (value) => {
      const parsed = URL.canParse(value) ? new URL(value) : null;
      return parsed !== null && protocols.includes(parsed.protocol);
    },
    `takes a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
  );

const httpOrigin = z
  .string()
  // Compared as browsers send it: without a trailing slash.
  .transform((value) => value.replace(/\/$/, ''))
  .refine(
    (value) => /^https?:[^*]+$/.test(value) && URL.canParse(value) && new URL(value).origin === value,
    'takes an origin such as https://gatehouse.example, in lower case and without a path',
  );

const encryptionKey = z
  .string()
  .regex(
    /^[A-Za-z0-9+/_-]{43}=?$/,
    'takes keys of 32 bytes in base64, separated by commas (openssl rand -base64 32)',
  )
  .transform((text) => new Uint8Array(Buffer.from(text, 'base64')));

const list = (text: string) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

/** The settings by name, as the README lists them. An empty value counts as none. */
const settings = z.object({
  PORT: integer(0, 65_535).default(4000),
  HOST: z.string().default('127.0.0.1'),
  PUBLIC_URL: httpOrigin.optional(),
  CORS_ORIGINS: z.string().default('').transform(list).pipe(z.array(httpOrigin)),
  DATA_DIR: z.string().default('./data'),
  DATABASE_URL: url(['postgres:', 'postgresql:']).optional(),
  DATABASE_POOL_SIZE: integer(1, 1_000).default(10),
  WORKERS: integer(1, 256).default(1),
  ENCRYPTION_KEYS: z.string().transform(list).pipe(z.array(encryptionKey).min(1)).optional(),
  GATEHOUSE_BOOTSTRAP_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]{32,512}$/, 'takes 32 to 512 printable characters without spaces')
    .optional(),
  GATEHOUSE_CONFIG: z.string().optional(),
  LOG_LEVEL: z
    .enum(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'takes fatal, error, warn, info, debug, trace or silent',
    )
    .default('info'),
  GRAPHIQL: flag.default(true),
  INTROSPECTION: flag.default(true),
  MAX_BODY_BYTES: integer(1_024, 16_777_216).default(262_144),
  MAX_QUERY_DEPTH: integer(3, 100).default(12),
  MAX_QUERY_COST: integer(100, 10_000_000).default(20_000),
  MAX_QUERY_ALIASES: integer(1, 1_000).default(30),
  MAX_QUERY_TOKENS: integer(100, 100_000).default(2_000),
  MAX_PAGE_SIZE: integer(1, 1_000).default(200),
  EXECUTION_TIMEOUT_MS: integer(100, 600_000).default(30_000),
  SHUTDOWN_TIMEOUT_MS: integer(100, 600_000).default(10_000),
  SHUTDOWN_DELAY_MS: integer(0, 600_000).default(0),
  SSH_KEY_RSA_MIN_BITS: integer(1_024, 16_384).default(2_048),
  SSH_KEY_MAX_LIFETIME_DAYS: integer(1, 36_500).optional(),
  EXTERNAL_AUTH_VALIDATE_CACHE_SECONDS: integer(0, 3_600).default(10),
  OAUTH_APP_SECRET_READS: z.enum(['full', 'masked'], 'takes full or masked').default('full'),
  OAUTH_APP_SECRET_GRACE_HOURS: integer(0, 8_760).default(24),
});

/**
 * @param env usually `process.env`
 * @throws InvalidConfig that names every fault, not just the first
 */
export function parseConfig(env: Record<string, string | undefined>): Config {
  const faults: string[] = [];
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );

  const result = settings.safeParse(given);
  if (!result.success) {
    for (const issue of result.error.issues) faults.push(`${String(issue.path[0])} ${issue.message}.`);
  }
  if (given.DATABASE_URL && !given.ENCRYPTION_KEYS) {
    faults.push(
      'ENCRYPTION_KEYS is required with DATABASE_URL: every replica has to read what another wrote. Make one with: openssl rand -base64 32',
    );
  }
  if (Number(given.WORKERS) > 1 && !given.DATABASE_URL) {
    faults.push(
      'WORKERS takes 1 without DATABASE_URL: one process owns the embedded database. Set DATABASE_URL to use more cores.',
    );
  }

  const { document, fault } = readConfigFile(given.GATEHOUSE_CONFIG);
  if (fault) faults.push(fault);
  const { providers, faults: providerFaults } = parseProviders(given as Record<string, string>, document);
  faults.push(...providerFaults);

  // Each item of a list may break the same rule.
  if (!result.success || faults.length > 0) throw new InvalidConfig([...new Set(faults)]);
  const s = result.data;
  return {
    workers: s.WORKERS,
    http: {
      port: s.PORT,
      host: s.HOST,
      publicUrl: s.PUBLIC_URL ?? `http://${hostInUrl(s.HOST)}:${s.PORT}`,
      corsOrigins: s.CORS_ORIGINS,
    },
    database: {
      url: s.DATABASE_URL ?? null,
      dataDir: resolve(s.DATA_DIR),
      poolSize: s.DATABASE_POOL_SIZE,
      statementTimeoutMs: s.EXECUTION_TIMEOUT_MS + 1_000,
    },
    encryptionKeys: s.ENCRYPTION_KEYS ?? null,
    bootstrapToken: s.GATEHOUSE_BOOTSTRAP_TOKEN ?? null,
    log: { level: s.LOG_LEVEL },
    graphql: { graphiql: s.GRAPHIQL, introspection: s.INTROSPECTION },
    limits: {
      bodyBytes: s.MAX_BODY_BYTES,
      queryDepth: s.MAX_QUERY_DEPTH,
      queryCost: s.MAX_QUERY_COST,
      queryAliases: s.MAX_QUERY_ALIASES,
      queryTokens: s.MAX_QUERY_TOKENS,
      pageSize: s.MAX_PAGE_SIZE,
      executionMs: s.EXECUTION_TIMEOUT_MS,
      shutdownMs: s.SHUTDOWN_TIMEOUT_MS,
      shutdownDelayMs: s.SHUTDOWN_DELAY_MS,
    },
    sshKeys: { rsaMinBits: s.SSH_KEY_RSA_MIN_BITS, maxLifetimeDays: s.SSH_KEY_MAX_LIFETIME_DAYS ?? null },
    oauthApps: { secretReads: s.OAUTH_APP_SECRET_READS, rotationGraceHours: s.OAUTH_APP_SECRET_GRACE_HOURS },
    externalAuth: { providers, validateCacheSeconds: s.EXTERNAL_AUTH_VALIDATE_CACHE_SECONDS },
  };
}

/** With PORT=0 the address is known when the port is. */
export function withRealPort(config: Config, port: number): Config {
  const publicUrl = config.http.publicUrl.replace(/:0$/, `:${port}`);
  return { ...config, http: { ...config.http, port, publicUrl } };
}

/** An address to listen on, as a part of one to open. */
function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

/** `gatehouse.yaml` in the working directory is read when it is there; a file that was named has to be. */
function readConfigFile(path: string | undefined): { document: unknown; fault?: string } {
  const file = path ?? 'gatehouse.yaml';
  if (!existsSync(file)) {
    return { document: null, fault: path && `GATEHOUSE_CONFIG names ${path}, which does not exist.` };
  }
  try {
    return { document: parseYaml(readFileSync(file, 'utf8'), { logLevel: 'error' }) };
  } catch (error) {
    // Without the parser's message, and above without its warnings: they quote the file, which holds client secrets.
    const { code, linePos: [position] = [] } = error as Partial<YAMLParseError> & { code?: string };
    const where = position ? `line ${position.line}, column ${position.col}` : 'all';
    return { document: null, fault: `${file} cannot be read as YAML (${code ?? 'ERROR'} at ${where}).` };
  }
}

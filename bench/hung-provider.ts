import { setTimeout as sleep } from 'node:timers/promises';
import { createKeyring } from '../src/secrets/keyring.ts';
import { withClient } from './database.ts';
import { CONNECTIONS, type LoadGenerator, measureRound, type Timing } from './measure.ts';
import { COLLECTORS, ENCRYPTION_KEY, KIND, range, rowId, tokenHashOf, tokenOf } from './population.ts';
import type { Progress } from './progress.ts';
import { startProviderStub } from './provider-stub.ts';
import { type Round, summarise } from './results.ts';
import { type Server, type ServerKind, startServer } from './servers.ts';
import { type Workload, workloads } from './workloads.ts';

// Does a provider that takes every call and answers none slow down those who ask nothing of it?
//
// The same queries of users without such a provider are timed on one server in two situations, in turn: nobody asks
// the provider; others ask for its links and tokens all the time, and it hangs. A phase is longer than the time limit
// of a call, so that it covers the calls that wait as well as the time in which the provider is left alone.

const SITUATIONS = ['alone', 'hangs'] as const;

export type Situation = (typeof SITUATIONS)[number];

export const SITUATION_TITLES: Record<Situation, string> = {
  alone: 'nobody asks the provider',
  hangs: 'others ask, and it hangs',
};

export interface HungProviderResult {
  date: string;
  commit: string;
  workload: string;
  connections: number;
  callers: number;
  seconds: number;
  unrelated: Record<Situation, Round[]>;
  /** Calls that the provider left without an answer at once, at most. */
  mostHanging: number;
}

export const HUNG_FULL: Timing = { rounds: 5, seconds: 12, warmupSeconds: 3 };
export const HUNG_QUICK: Timing = { rounds: 3, seconds: 3, warmupSeconds: 1 };

/** The p99 while the provider hangs is at most so many times that while nobody asks it. */
export const GOAL_P99 = 1.2;

/** Each of them has an account of its own at both providers. None is among those whose queries are timed. */
const CALLERS = range(1, COLLECTORS);
const PAUSE_MS = 1_000;

/** One whose every use begins with a renewal, and one whose every use begins with a question whether it is valid. */
const PROVIDERS = ['renewing', 'validating'] as const;

export async function measureHungProvider(
  kind: ServerKind,
  databaseUrl: string,
  generator: LoadGenerator,
  timing: Timing,
  progress: Progress,
): Promise<Omit<HungProviderResult, 'date' | 'commit'>> {
  const workload = workloads.find(({ name }) => name === 'viewer-keys') as Workload;
  const stub = await startProviderStub();
  await deleteLinks(databaseUrl);
  await insertLinks(databaseUrl);
  const server = await startServer(kind, databaseUrl, {
    ...Object.assign({}, ...PROVIDERS.map((id, n) => providerEnv(n, id, stub.origin))),
    // Every use asks.
    EXTERNAL_AUTH_VALIDATE_CACHE_SECONDS: '0',
  });
  const unrelated: Record<Situation, Round[]> = { alone: [], hangs: [] };
  let mostHanging = 0;
  const time = async (situation: Situation, round: number) => {
    progress.update(`round ${round} of ${timing.rounds}: ${SITUATION_TITLES[situation]} …`);
    unrelated[situation].push(await measureRound(generator, server, workload, timing.seconds));
  };
  try {
    await measureRound(generator, server, workload, timing.warmupSeconds);
    for (let round = 1; round <= timing.rounds; round += 1) {
      await time('alone', round);
      const callers = startCallers(server, CALLERS);
      // At first it answers: one that hung is asked by one at a time until it does.
      await callers.allAnswered(timing.warmupSeconds * 1_000);
      stub.hang();
      await time('hangs', round);
      mostHanging = Math.max(mostHanging, stub.mostWaiting());
      stub.recover();
      await callers.stop();
    }
  } finally {
    await server.stop();
    stub.close();
    await deleteLinks(databaseUrl);
  }
  // A check of the check: nothing is shown by a provider that nobody waited for.
  if (mostHanging < CALLERS.length / 2) throw new Error(`Only ${mostHanging} calls hung.`);
  return {
    workload: workload.title,
    connections: CONNECTIONS,
    callers: CALLERS.length,
    seconds: timing.seconds,
    unrelated,
    mostHanging,
  };
}

/** How many times longer the p99 is while the provider hangs than while nobody asks it. */
export function ratioOf({ unrelated }: Pick<HungProviderResult, 'unrelated'>): number {
  return summarise(unrelated.hangs).p99 / summarise(unrelated.alone).p99;
}

export function describeHungProvider(result: Omit<HungProviderResult, 'date' | 'commit'>): string {
  const { workload, connections, callers, seconds, unrelated, mostHanging } = result;
  const ratio = ratioOf(result);
  const rounds = unrelated.hangs.length;
  const rows = SITUATIONS.map((situation) => {
    const { throughput, p50, p99 } = summarise(unrelated[situation]);
    const all = unrelated[situation].map((round) => round.p99.toFixed(1)).join(' ');
    return [
      `  ${SITUATION_TITLES[situation].padEnd(26)}`,
      Math.round(throughput).toLocaleString('en').padStart(9),
      p50.toFixed(1).padStart(7),
      p99.toFixed(1).padStart(7),
      `   ${all}`,
    ].join(' ');
  });
  return [
    '',
    `Unrelated queries (${workload}), ${connections} connections, ${rounds} rounds of ${seconds} s in turn: medians`,
    `  ${''.padEnd(26)} ${'answers/s'.padStart(9)} ${'p50 ms'.padStart(7)} ${'p99 ms'.padStart(7)}    p99 of each round`,
    ...rows,
    '',
    `${callers} callers ask; up to ${mostHanging} calls to the provider hung at once.`,
    `p99 while it hangs: ${ratio.toFixed(2)}× that while nobody asks it. Goal: ≤ ${GOAL_P99}×: ${ratio <= GOAL_P99 ? 'reached' : 'MISSED'}.`,
  ].join('\n');
}

function providerEnv(n: number, id: string, origin: string): Record<string, string> {
  const settings = {
    ID: id,
    TYPE: 'oauth2',
    CLIENT_ID: 'bench',
    CLIENT_SECRET: 'bench',
    TOKEN_AUTH_METHOD: 'client_secret_post',
    AUTH_URL: `${origin}/authorize`,
    TOKEN_URL: `${origin}/token`,
    VALIDATE_URL: `${origin}/validate`,
    REGEX: `${id}\\.example`,
  };
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [`EXTERNAL_AUTH_${n}_${name}`, value]),
  );
}

const QUESTIONS = [
  '{ viewer { externalAuthLinks { providerId authenticated validateError } } }',
  ...PROVIDERS.map((id) => `{ externalAuthToken(id: "${id}") { credentials { accessToken } } }`),
];

/** A call that hung, one that is made again, and one that waited for its turn behind them. */
const PATIENCE_MS = 60_000;

/** People and machines who ask for their links and tokens, again and again, each with a pause in between. */
function startCallers(server: Server, users: number[]) {
  let isStopping = false;
  /** How many answers in a row were good, of each caller. */
  const good = new Map(users.map((user) => [user, 0]));
  let lastFailure = 'nothing';
  const ask = async (user: number, query: string) => {
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${tokenOf(user)}`, 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
    const text = await response.text();
    // The links of other benchmarks have no provider here.
    const isGood =
      text.includes('"accessToken":"') ||
      PROVIDERS.every((id) => text.includes(`"${id}","authenticated":true`));
    good.set(user, isGood ? (good.get(user) ?? 0) + 1 : 0);
    if (!isGood) lastFailure = text.slice(0, 500);
  };
  const work = users.map(async (user) => {
    await sleep((PAUSE_MS * user) / users.length);
    for (let turn = user; !isStopping; turn += 1) {
      await ask(user, QUESTIONS[turn % QUESTIONS.length] ?? '');
      await sleep(PAUSE_MS);
    }
  });
  return {
    /**
     * Waits until each was given what it asked for, and that for some time.
     *
     * @throws Error when that does not come: what is measured would be a fault of another kind
     */
    async allAnswered(ms: number) {
      await sleep(ms);
      const deadline = performance.now() + PATIENCE_MS;
      while ([...good.values()].some((count) => count < QUESTIONS.length)) {
        if (performance.now() > deadline) {
          throw new Error(`The provider answers, and callers are failed: ${lastFailure}`);
        }
        await sleep(100);
      }
    },
    async stop() {
      isStopping = true;
      await Promise.all(work);
    },
  };
}

async function insertLinks(databaseUrl: string): Promise<void> {
  const keyring = createKeyring([Buffer.from(ENCRYPTION_KEY, 'base64')]);
  await withClient(databaseUrl, async (client) => {
    for (const [p, provider] of PROVIDERS.entries()) {
      for (const user of CALLERS) {
        const serial = LINK_SERIAL + p * 1_000 + user;
        const id = rowId(KIND.link, serial, serial);
        const place = (column: string) => ({ table: 'external_auth_links', column, row: id });
        const isRenewing = provider === 'renewing';
        await client.query(
          `INSERT INTO external_auth_links (id, user_id, provider_id, access_token, refresh_token, expires_at, updated_at)
           SELECT $1, user_id, $2, $3, $4, $5, now() FROM api_tokens WHERE token_hash = $6`,
          [
            id,
            provider,
            keyring.encrypt('access', place('access_token')),
            isRenewing ? keyring.encrypt('refresh', place('refresh_token')) : null,
            isRenewing ? new Date(0) : null,
            Buffer.from(tokenHashOf(user)),
          ],
        );
      }
    }
  });
}

/** Beyond those of all that are seeded. */
const LINK_SERIAL = 100_000_000;

async function deleteLinks(databaseUrl: string): Promise<void> {
  await withClient(databaseUrl, (client) =>
    client.query('DELETE FROM external_auth_links WHERE provider_id = ANY ($1)', [PROVIDERS]),
  );
}

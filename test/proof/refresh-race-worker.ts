import { setTimeout as sleep } from 'node:timers/promises';
import { createApp } from '../../src/app.ts';
import { openRuntime } from '../../src/cli/open-runtime.ts';
import { parseConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';

/** What refresh-race.ts tells a process to do: let callers ask for a link's token, all at the given moment. */
export interface Task {
  round: number;
  callers: number;
  /** As Date.now() has it. */
  at: number;
  bearer: string;
}

/** What became of a task. */
export interface Report {
  round: number;
  /** How many callers were given each access token; '' stands for "link again". */
  tokens: Record<string, number>;
  errors: string[];
  /** How often a caller was told to come back in a few seconds, and did: a busy machine has too few connections. */
  comeBacks: number;
  /** How often a caller's operation took longer than operations may, and was asked again: a stalled machine. */
  givenUp: number;
}

/** So often a caller asks again; whoever gets no answer by then is an error. */
const MOST_GIVEN_UP = 2;

// One replica. Its calls to the provider tell which process makes them, so that it can be killed in the act.
const { fetch } = globalThis;
globalThis.fetch = (input, init) => {
  const headers = new Headers(init?.headers);
  headers.set('x-asker', String(process.pid));
  return fetch(input, { ...init, headers });
};

const config = parseConfig(process.env);
const { runtime } = await openRuntime(config, createLog(config.log));
const app = createApp(runtime);

class Busy extends Error {}
class GivenUp extends Error {}

async function askForToken(bearer: string): Promise<string> {
  const response = await app.fetch(
    new Request(`${config.http.publicUrl}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ externalAuthToken(id: "race") { credentials { accessToken } } }' }),
    }),
  );
  const { data, errors } = (await response.json()) as {
    data: { externalAuthToken: { credentials: { accessToken: string } | null } } | null;
    errors?: { message: string; extensions: { code: string } }[];
  };
  if (errors?.[0]?.extensions.code === 'SERVICE_UNAVAILABLE') throw new Busy();
  if (errors?.[0]?.extensions.code === 'EXECUTION_TIMEOUT') throw new GivenUp(errors[0].message);
  if (errors || !data) throw new Error(errors?.map(({ message }) => message).join(' ') ?? 'no data');
  return data.externalAuthToken.credentials?.accessToken ?? '';
}

process.on('message', async ({ round, callers, at, bearer }: Task) => {
  await sleep(Math.max(0, at - Date.now()));
  const report: Report = { round, tokens: {}, errors: [], comeBacks: 0, givenUp: 0 };
  const outcomes = await Promise.allSettled(
    Array.from({ length: callers }, async () => {
      // Not all in one tick: some come while the first ones are at it.
      await sleep(Math.random() * 100);
      for (let givenUp = 0; ; ) {
        try {
          return await askForToken(bearer);
        } catch (error) {
          if (error instanceof GivenUp && givenUp < MOST_GIVEN_UP) {
            givenUp += 1;
            report.givenUp += 1;
            continue;
          }
          if (!(error instanceof Busy)) throw error;
          report.comeBacks += 1;
          await sleep(1_000);
        }
      }
    }),
  );
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') report.errors.push(String(outcome.reason));
    else report.tokens[outcome.value] = (report.tokens[outcome.value] ?? 0) + 1;
  }
  process.send?.(report);
});
process.on('disconnect', () => process.exit());
process.send?.('ready');

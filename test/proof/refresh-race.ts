import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createApiToken, createUser, systemActor } from '../../src/accounts/accounts.service.ts';
import { openRuntime } from '../../src/cli/open-runtime.ts';
import { parseConfig } from '../../src/config.ts';
import { openTokens, saveLink } from '../../src/external-auth/link-store.ts';
import { RelinkRequired, refreshLink } from '../../src/external-auth/links.service.ts';
import { createLog } from '../../src/log.ts';
import { onServer } from '../harness-server.ts';
import type { Report, Task } from './refresh-race-worker.ts';

// Does a link survive that many processes find it expired at the same moment, and that some are killed meanwhile?
// Several replicas on one PostgreSQL, each with many callers, against a provider whose refresh tokens serve once.
//
//   TEST_DATABASE_URL=postgres://… npm run proof -- [--rounds 200] [--processes 4] [--callers 100]
//
// Prints one line a round that is worth one, and a summary. Exits with 1 when any promise was broken.

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '200' },
    processes: { type: 'string', default: '4' },
    callers: { type: 'string', default: '100' },
  },
});
const [ROUNDS, PROCESSES, CALLERS] = [values.rounds, values.processes, values.callers].map(Number) as [
  number,
  number,
  number,
];

const serverUrl = process.env.TEST_DATABASE_URL;
if (!serverUrl || !/test/i.test(new URL(serverUrl).pathname)) {
  process.stderr.write(
    'TEST_DATABASE_URL must name a database on a PostgreSQL server, with "test" in its name.\n',
  );
  process.exit(2);
}

/**
 * How a round disturbs the replicas. `asked`: whoever asks the provider is killed before it does anything. `used`:
 * killed after it has used up the refresh token, before its answer can be stored. `any`: any replica at any moment.
 */
type Disturbance = 'none' | 'asked' | 'used' | 'any';
const DISTURBANCES: Disturbance[] = ['none', 'none', 'none', 'any', 'any', 'any', 'asked', 'used'];

const say = (line: string) => process.stdout.write(`${line}\n`);
const isTrue = (probability: number) => Math.random() < probability;

// ---- the provider -------------------------------------------------------------------------------------------------

/** What the provider saw in one round. */
const seen = { asked: [] as number[], renewals: 0, refusals: 0 };
let live = { accessToken: '', refreshToken: '' };
let disturbance: Disturbance = 'none';
/** Processes that were killed in this round. */
const killed = new Set<number>();

function issue(): typeof live {
  live = { accessToken: `access-${randomUUID()}`, refreshToken: `refresh-${randomUUID()}` };
  return live;
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let body = '';
  for await (const chunk of request) body += chunk;
  return new URLSearchParams(body);
}

const provider = createServer(async (request, response) => {
  const form = await readForm(request);
  const asker = Number(request.headers['x-asker']);
  seen.asked.push(asker);
  const answer = (status: number, body: object) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  await sleep(Math.random() * 100);
  if (disturbance === 'asked') {
    disturbance = 'none';
    return kill(asker);
  }
  // A process that is gone by now has asked all the same: providers do not look whether somebody still listens.
  if (form.get('refresh_token') !== live.refreshToken) {
    seen.refusals += 1;
    return answer(400, { error: 'invalid_grant' });
  }
  const { accessToken, refreshToken } = issue();
  seen.renewals += 1;
  if (disturbance === 'used') {
    disturbance = 'none';
    // The answer may still reach the socket of a process that is no more.
    if (isTrue(0.5)) kill(asker);
    else queueMicrotask(() => kill(asker));
  }
  await sleep(Math.random() * 50);
  answer(200, { access_token: accessToken, refresh_token: refreshToken, expires_in: 3_600 });
}).listen(0, '127.0.0.1');
await once(provider, 'listening');
const providerUrl = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;

// ---- the replicas -------------------------------------------------------------------------------------------------

const databaseName = `gatehouse_test_proof_${randomBytes(6).toString('hex')}`;
await onServer(serverUrl, `CREATE DATABASE ${databaseName}`);
const databaseUrl = Object.assign(new URL(serverUrl), { pathname: `/${databaseName}` });
const env = {
  DATABASE_URL: databaseUrl.href,
  DATABASE_POOL_SIZE: '20',
  ENCRYPTION_KEYS: randomBytes(32).toString('base64'),
  PUBLIC_URL: 'http://gatehouse.test',
  LOG_LEVEL: 'fatal',
  EXTERNAL_AUTH_0_ID: 'race',
  EXTERNAL_AUTH_0_TYPE: 'oauth2',
  EXTERNAL_AUTH_0_CLIENT_ID: 'client',
  EXTERNAL_AUTH_0_CLIENT_SECRET: 'secret',
  EXTERNAL_AUTH_0_TOKEN_AUTH_METHOD: 'client_secret_post',
  EXTERNAL_AUTH_0_AUTH_URL: `${providerUrl}/authorize`,
  EXTERNAL_AUTH_0_TOKEN_URL: `${providerUrl}/token`,
};

const replicas = new Map<number, ChildProcess>();

async function startReplica(): Promise<void> {
  const child = fork(fileURLToPath(new URL('refresh-race-worker.ts', import.meta.url)), [], {
    execArgv: ['--import', 'tsx'],
    env: { PATH: process.env.PATH, ...env },
  });
  const [message] = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => ['exit'])]);
  if (message !== 'ready' || child.pid === undefined) throw new Error('A replica did not start.');
  replicas.set(child.pid, child);
}

function kill(pid: number): void {
  killed.add(pid);
  replicas.get(pid)?.kill('SIGKILL');
}

/** @returns null when the replica was killed */
function runTask(child: ChildProcess, task: Task): Promise<Report | null> {
  return new Promise((resolve) => {
    const finish = (report: Report | null) => {
      child.off('message', onMessage);
      child.off('exit', onExit);
      resolve(report);
    };
    const onMessage = (report: Report) => finish(report);
    const onExit = () => finish(null);
    child.on('message', onMessage);
    child.on('exit', onExit);
    child.send(task, (error) => error && finish(null));
  });
}

// ---- the rounds ---------------------------------------------------------------------------------------------------

const config = parseConfig(env);
const { runtime, close } = await openRuntime(config, createLog(config.log));
const { id: userId } = await createUser(runtime, { username: 'racer' });
const actor = systemActor(userId);
const { token: bearer } = await createApiToken(runtime, actor, null, {
  name: 'race',
  scopes: ['external_auth:token'],
});
const raced = runtime.providers.find('race');
if (!raced) throw new Error('The provider is not configured.');
const link = () => saveLink(runtime, actor, raced, { ...issue(), expiresAt: null, extra: {} });
const readRow = () => runtime.db.externalAuthLink.findFirstOrThrow({ where: { userId } });

await link();
await Promise.all(Array.from({ length: PROCESSES }, startReplica));

const totals = {
  rounds: 0,
  killedProcesses: 0,
  roundsWithKills: 0,
  providerCalls: 0,
  renewals: 0,
  mostRenewalsOfOneExpiry: 0,
  takenOver: 0,
  lostAnswers: 0,
  relinked: 0,
  survivorsAnswered: 0,
  comeBacks: 0,
  givenUp: 0,
  slowestRoundMs: 0,
};
const violations: string[] = [];
const startedAt = performance.now();

for (let round = 1; round <= ROUNDS; round += 1) {
  const plan = DISTURBANCES[Math.floor(Math.random() * DISTURBANCES.length)] ?? 'none';
  const violated = (what: string) => {
    violations.push(what);
    say(`VIOLATION in round ${round} (${plan}): ${what}`);
  };
  await Promise.all(Array.from({ length: PROCESSES - replicas.size }, startReplica));
  Object.assign(seen, { asked: [], renewals: 0, refusals: 0 });
  killed.clear();
  disturbance = plan;

  const before = { ...live };
  const at = Date.now() + 200;
  // Counted as expired ten seconds early: exactly when the callers come.
  await runtime.db.externalAuthLink.updateMany({
    where: { userId },
    data: { expiresAt: new Date(at + 10_000) },
  });
  const reports = [...replicas.values()].map((child) =>
    runTask(child, { round, callers: CALLERS, at, bearer }),
  );
  if (plan === 'any') {
    const victims = [...replicas.keys()].filter(() => isTrue(0.4)).slice(0, PROCESSES - 1);
    for (const pid of victims) void sleep(at - Date.now() + Math.random() * 350).then(() => kill(pid));
  }
  const roundStarted = performance.now();
  const survivors = (await Promise.all(reports)).filter((report) => report !== null);
  totals.slowestRoundMs = Math.max(totals.slowestRoundMs, performance.now() - roundStarted - 200);
  // Kills that were planned for after the last answer.
  await sleep(400);
  for (const pid of killed) replicas.delete(pid);

  const row = await readRow();
  const stored = openTokens(runtime.keyring, row);
  const isStored = stored.accessToken === live.accessToken && stored.refreshToken === live.refreshToken;
  const killedAskers = seen.asked.filter((pid) => killed.has(pid)).length;
  // The refresh token was used up, and the only process that heard of the new one is dead.
  const isLost = !isStored && seen.renewals === 1 && killedAskers > 0;

  if (seen.renewals > 1) violated(`${seen.renewals} renewals`);
  // Everybody but those who were killed in the act asks once in all; after a lost answer, once more in vain.
  if (seen.asked.length > 1 + killedAskers) violated(`the provider was asked ${seen.asked.length} times`);
  if (!isLost && survivors.length > 0) {
    if (seen.renewals !== 1) violated('no renewal');
    if (!isStored) violated('the new tokens are not in the database');
    if (row.refreshFailureReason !== null) violated(`the link was poisoned: ${row.refreshFailureReason}`);
    if (row.refreshLeaseId !== null) violated('the lease was left behind');
    if (seen.refusals > 0) violated('a used refresh token was used again');
  }
  for (const { tokens, errors, comeBacks, givenUp } of survivors) {
    totals.comeBacks += comeBacks;
    totals.givenUp += givenUp;
    const expected = isLost ? '' : live.accessToken;
    const wrong = Object.entries(tokens).filter(([token]) => token !== expected);
    for (const [token, count] of wrong) {
      const what = token === '' ? '"link again"' : token === before.accessToken ? 'the old token' : token;
      violated(`${count} callers were given ${what}`);
    }
    for (const error of new Set(errors)) violated(`a caller heard: ${error}`);
    totals.survivorsAnswered += tokens[expected] ?? 0;
  }
  if (isLost) {
    totals.lostAnswers += 1;
    if (survivors.length > 0) {
      if (row.refreshToken !== null || row.refreshFailureReason === null)
        violated('a lost answer was not noticed');
      const asked = seen.asked.length;
      const failure = await refreshLink(runtime, actor, 'race').catch((error: unknown) => error);
      if (!(failure instanceof RelinkRequired)) violated(`no word on linking again: ${failure}`);
      if (seen.asked.length !== asked) violated('the provider is asked on and on');
    }
  }
  // Where nobody survived to see, or the answer was lost: the owner links again, and all is well.
  if (isLost || !isStored) {
    await link();
    totals.relinked += 1;
  }

  totals.rounds += 1;
  totals.killedProcesses += killed.size;
  totals.roundsWithKills += killed.size > 0 ? 1 : 0;
  totals.providerCalls += seen.asked.length;
  totals.renewals += seen.renewals;
  totals.mostRenewalsOfOneExpiry = Math.max(totals.mostRenewalsOfOneExpiry, seen.renewals);
  if (!isLost && killedAskers > 0 && seen.asked.length > 1) totals.takenOver += 1;
  if (round % 20 === 0 || round === ROUNDS) {
    say(
      `${round}/${ROUNDS} rounds, ${totals.killedProcesses} processes killed, ${totals.takenOver} leases taken over, ${totals.lostAnswers} answers lost with their process, ${violations.length} violations`,
    );
  }
}

for (const child of replicas.values()) child.kill('SIGKILL');
await close();
await onServer(serverUrl, `DROP DATABASE ${databaseName} WITH (FORCE)`);
provider.close();
provider.closeAllConnections();

say(
  `${violations.length === 0 ? 'PROVEN' : 'BROKEN'}: ${JSON.stringify({
    processes: PROCESSES,
    callersEach: CALLERS,
    ...totals,
    slowestRoundMs: Math.round(totals.slowestRoundMs),
    violations: violations.length,
    seconds: Math.round((performance.now() - startedAt) / 1_000),
  })}`,
);
process.exit(violations.length === 0 ? 0 : 1);

/**
 * Makes the load, in a process of its own: `run.ts` sends it one task at a time.
 */
import { generateKeyPairSync } from 'node:crypto';
import autocannon from 'autocannon';
import type { LoadResult, LoadTask } from '../load-task.ts';
import { tokenOf } from '../population.ts';
import { type HttpRequest, pageWorkloads, type Unique, workloads } from '../workloads.ts';

/** Keys are made before the clock runs: making one takes as long as a server's part of a request. */
const keys: string[] = [];

/** An Ed25519 public key begins with 12 bytes of DER (RFC 8410), and for OpenSSH with its type (RFC 8709). */
const DER_PREFIX = 12;
const SSH_PREFIX = Buffer.from('0000000b7373682d6564323535313900000020', 'hex');

function newKey(): string {
  const { publicKey } = generateKeyPairSync('ed25519');
  const point = publicKey.export({ format: 'der', type: 'spki' }).subarray(DER_PREFIX);
  return `ssh-ed25519 ${Buffer.concat([SSH_PREFIX, point]).toString('base64')} bench@laptop`;
}

let serial = 0;

function unique(): Unique {
  serial += 1;
  return { publicKey: keys.pop() ?? newKey(), serial };
}

async function load({ url, workload: name, words, connections, seconds }: LoadTask): Promise<LoadResult> {
  const workload = [...workloads, ...pageWorkloads].find((each) => each.name === name);
  if (!workload) throw new Error(`There is no workload ${name}.`);
  const stores = workload.kind === 'write' || workload.kind === 'mix';
  const needed = stores ? Math.ceil(seconds * 4_000) : 0;
  while (keys.length < needed) keys.push(newKey());

  const options = (request: HttpRequest): autocannon.Request => ({
    method: request.method,
    path: request.path,
    body: request.body,
    headers: {
      authorization: `Bearer ${tokenOf(request.user)}`,
      ...(request.body && { 'content-type': 'application/json' }),
      accept: 'application/json',
    },
  });
  let connection = 0;
  /** Each connection has users of its own: no two ask for the same rows at once. */
  const requestsOfNext = (): autocannon.Request[] => {
    const own = workload.users.filter((_, i) => i % connections === connection);
    const users = own.length > 0 ? own : workload.users;
    connection += 1;
    if (!stores) return users.flatMap((user) => workload.requests(user, words, unique).map(options));
    let queue: HttpRequest[] = [];
    let turn = connection;
    const next = () => {
      if (queue.length === 0) {
        queue = workload.requests(users[turn % users.length] ?? 0, words, unique);
        turn += 1;
      }
      return options(queue.shift() as HttpRequest);
    };
    return [{ setupRequest: (request) => ({ ...request, ...next() }) }];
  };

  let first: string | undefined;
  const latencies: number[] = [];
  let start = performance.now();
  const { errors, timeouts, non2xx, mismatches } = await new Promise<autocannon.Result>((resolve, reject) => {
    const options: autocannon.Options = {
      url,
      connections,
      duration: seconds,
      sampleInt: 50,
      setupClient: (client) => client.setRequests(requestsOfNext()),
      verifyBody: (body: unknown) => {
        const text = String(body);
        // Not by one expression: to look for what must not be there took as long as to receive a large answer.
        const isRight = workload.expect.test(text) && !text.includes('"errors"');
        if (!isRight) first ??= text.slice(0, 500);
        return isRight;
      },
    };
    const instance = autocannon(options, (error, result) => (error ? reject(error) : resolve(result)));
    instance.on('start', () => {
      start = performance.now();
    });
    instance.on('response', (_client, _status, _bytes, milliseconds) => latencies.push(milliseconds));
  });
  const elapsed = (performance.now() - start) / 1_000;
  latencies.sort((a, b) => a - b);
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  const counts = { errors, timeouts, 'answers not 2xx': non2xx, 'wrong answers': mismatches };
  const faults = Object.entries(counts).flatMap(([what, count]) => (count ? [`${count} ${what}`] : []));
  if (first) faults.push(`the first wrong answer: ${first}`);
  return {
    answers: latencies.length,
    seconds: elapsed,
    latency: { p50: at(0.5), p99: at(0.99), max: latencies.at(-1) ?? 0 },
    faults,
  };
}

process.on('message', async (task: LoadTask) => {
  process.send?.(await load(task));
});
process.on('disconnect', () => process.exit());
// Ctrl-C reaches the whole group; run.ts ends this process when it has ended the servers.
process.on('SIGINT', () => {});

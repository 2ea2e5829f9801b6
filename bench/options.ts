import { parseArgs } from 'node:util';
import { ACTIVE_USERS } from './population.ts';
import { serverKinds } from './servers.ts';
import { workloads } from './workloads.ts';

export const USAGE = `Measures Gatehouse against other servers. See bench/README.md.

  npm run bench                         all of it: about 30 minutes
  npm run bench -- --quick              the same table in less than five minutes
  npm run bench -- --growth             and 1,000,000 users against 1,000: some minutes more
  npm run bench -- --workers            and two processes against one
  npm run bench -- report FILE …        writes docs/benchmarks.md from the results of a run and the others
  npm run bench -- soak --minutes 30    mixed load on Gatehouse alone, with its memory watched
  npm run bench -- plans                shows that every query uses an index at 1,000,000 users
  npm run bench -- hung-provider        times unrelated queries while a provider hangs: 4 minutes

  --json FILE      writes the result for programs
  --only A,B       only these workloads: ${workloads.map(({ name }) => name).join(' ')}
  --peers A,B      only these servers beside Gatehouse: ${serverKinds
    .slice(1)
    .map(({ name }) => name)
    .join(' ')}
  --users N        users of the large set, a multiple of 1,000 (1,000,000)

BENCH_DATABASE_URL names a PostgreSQL server's database to use in place of a temporary one; what is in it is deleted.`;

const COMMANDS = ['run', 'report', 'soak', 'plans', 'hung-provider'] as const;

type Command = (typeof COMMANDS)[number];

export interface Options {
  command: Command | 'help';
  files: string[];
  quick: boolean;
  growth: boolean;
  workers: boolean;
  json: string | null;
  only: string[] | null;
  peers: string[] | null;
  minutes: number;
  users: number;
}

/** @throws Error that says what is wrong, and what there is */
export function parseOptions(args: string[]): Options {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      growth: { type: 'boolean', default: false },
      workers: { type: 'boolean', default: false },
      json: { type: 'string' },
      only: { type: 'string' },
      peers: { type: 'string' },
      minutes: { type: 'string', default: '30' },
      users: { type: 'string', default: '1000000' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const [command = 'run', ...files] = positionals;
  const { help, ...rest } = values;
  if (!isCommand(command)) throw new Error(`There is no command "${command}".\n\n${USAGE}`);
  return {
    ...rest,
    command: help ? 'help' : command,
    files,
    json: rest.json ?? null,
    only: names('--only', rest.only, workloads),
    peers: names('--peers', rest.peers, serverKinds.slice(1)),
    minutes: positive('--minutes', rest.minutes),
    users: thousands('--users', rest.users),
  };
}

function isCommand(text: string): text is Command {
  return (COMMANDS as readonly string[]).includes(text);
}

function names(option: string, text: string | undefined, known: { name: string }[]): string[] | null {
  if (text === undefined) return null;
  const given = text.split(',').filter(Boolean);
  const unknown = given.find((name) => !known.some((each) => each.name === name));
  if (unknown === undefined) return given;
  throw new Error(`${option} takes ${known.map(({ name }) => name).join(', ')}; there is no "${unknown}".`);
}

function positive(option: string, text: string): number {
  const number = Number(text);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new Error(`${option} takes a number above 0.`);
}

/** The active users are spread evenly over all. */
function thousands(option: string, text: string): number {
  const number = positive(option, text);
  if (number % ACTIVE_USERS === 0) return number;
  throw new Error(`${option} takes a multiple of ${ACTIVE_USERS.toLocaleString('en')}.`);
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { bootstrap, type FirstToken } from '../accounts/bootstrap.ts';
import type { App } from '../app.ts';
import { type Config, parseConfig } from '../config.ts';
import { startRevocations } from '../external-auth/revocation-outbox.ts';
import { listen } from '../http/listen.ts';
import { createLog } from '../log.ts';
import { openRuntime } from './open-runtime.ts';
import { stopSignal } from './stop-signal.ts';

/** What a shutdown takes beyond the wait for requests: closing the database. */
const CLOSE_MS = 5_000;

/**
 * `gatehouse serve`: the greeting goes to standard output, for people; the log to standard error, one JSON object a
 * line; a start that fails says why on standard error in plain words, with exit code 1. SIGTERM and SIGINT end it
 * with exit code 0.
 */
export function addServeCommand(program: Command): void {
  program
    .command('serve', { isDefault: true })
    .description('Serve the API. Settings come from the environment: see docs/operations.md.')
    .argument('[nothing...]')
    .action(async ([unknown]: string[], _options, command: Command) => {
      // As the default command it is given whatever is none.
      if (unknown !== undefined) command.error(`error: unknown command '${unknown}'. See: gatehouse --help`);
      // From the beginning: a start that is under way is finished first, and no migration is left half-done.
      const stopped = stopSignal();
      const config = parseConfig(process.env);
      const server = await startServer(config);
      process.stdout.write(`${server.greeting}\n`);
      await stopped;
      const { shutdownDelayMs, shutdownMs } = config.limits;
      // Whatever hangs then must not keep a supervisor waiting.
      setTimeout(() => process.exit(1), shutdownDelayMs + shutdownMs + CLOSE_MS).unref();
      await server.close();
    });
}

interface RunningServer {
  /** What to tell whoever started it. */
  greeting: string;
  close: () => Promise<void>;
}

/** Takes the port, opens the database, brings it up to date, and serves. */
async function startServer(config: Config): Promise<RunningServer> {
  const log = createLog(config.log);
  let app: App | undefined;
  // The port comes first: when it is taken, nothing was made yet, above all no first token that nobody would see.
  const listener = await listen(config.http, (request) => app?.fetch(request) ?? stillStarting());
  try {
    // The app takes a while to load, which an embedded database uses to start, on a core of its own. Commands never
    // load it.
    const opening = openRuntime(withRealPort(config, listener.port), log);
    const [{ runtime, close }, { createApp }] = await Promise.all([opening, import('../app.ts')]);
    try {
      const firstToken = await bootstrap(runtime);
      const stopping = new AbortController();
      app = createApp(runtime, stopping.signal);
      const stopRevocations = startRevocations(runtime);
      const { publicUrl } = runtime.config.http;
      log.info({ publicUrl, port: listener.port }, 'serving');

      return {
        greeting: greet(publicUrl, firstToken),
        close: async () => {
          log.info('stopping');
          stopping.abort();
          await sleep(config.limits.shutdownDelayMs);
          const cutOff = await listener.close(config.limits.shutdownMs);
          if (cutOff > 0) log.warn({ connections: cutOff }, 'requests took too long and were cut off');
          stopRevocations();
          await close();
          log.info('stopped');
        },
      };
    } catch (error) {
      await close();
      throw error;
    }
  } catch (error) {
    await listener.close(0);
    throw error;
  }
}

function stillStarting(): Response {
  return new Response('starting', { status: 503, headers: { 'retry-after': '1' } });
}

/** With PORT=0 the address is known when the port is. */
function withRealPort(config: Config, port: number): Config {
  const publicUrl = config.http.publicUrl.replace(/:0$/, `:${port}`);
  return { ...config, http: { ...config.http, port, publicUrl } };
}

function greet(publicUrl: string, firstToken: FirstToken | null): string {
  const lines = [`Gatehouse serves at ${publicUrl}`];
  if (firstToken) {
    const { token, fromSettings } = firstToken;
    const bearer = fromSettings
      ? '"Authorization: Bearer $GATEHOUSE_BOOTSTRAP_TOKEN"'
      : `'Authorization: Bearer ${token}'`;
    lines.push(
      '',
      fromSettings
        ? `This is the first start. The user "admin" was made, with the token of GATEHOUSE_BOOTSTRAP_TOKEN (${token.slice(0, 4)}…).`
        : `This is the first start. The user "admin" was made, with this token, which is shown only now:\n\n  ${token}`,
      '',
      'Try it:',
      '',
      `  curl ${publicUrl}/graphql -H ${bearer} -H 'Content-Type: application/json' -d '{"query":"{ viewer { username } }"}'`,
    );
  }
  lines.push('', `GraphiQL: ${publicUrl}/graphql    Stop with Ctrl-C.`);
  return lines.join('\n');
}

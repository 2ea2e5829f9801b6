import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import type { Logger } from 'pino';
import { bootstrap, type FirstToken } from '../accounts/bootstrap.ts';
import type { App } from '../app.ts';
import { type Config, withRealPort } from '../config.ts';
import { startRevocations } from '../external-auth/revocation-outbox.ts';
import { type Listener, listen } from '../http/listen.ts';
import { openRuntime } from './open-runtime.ts';

export interface RunningServer {
  /** The real one, also when the configuration asked for any. */
  port: number;
  /** The address that users reach it at. */
  publicUrl: string;
  /** What to tell whoever started it. */
  greeting: string;
  /**
   * Answers what is under way, then closes everything.
   *
   * @param options.replaced another process of this gateway serves on the port. Readiness is the gateway's, not the
   *   process's: it must not fail then, and nobody has to be given time to notice.
   */
  close: (options?: { replaced?: boolean }) => Promise<void>;
}

/** By then, every connection that waited for a request is closed, or was told to close with its answer. */
const SETTLED_MS = 500;

/**
 * Takes the port, opens the database, brings it up to date, and serves.
 *
 * @param options.joinsAt the real port, on which another process of this gateway serves already. That one has told
 *   what there is to tell. Here the port is taken last, so that no request reaches a process that is starting.
 */
export async function startServer(
  config: Config,
  log: Logger,
  { joinsAt }: { joinsAt?: number } = {},
): Promise<RunningServer> {
  // Left to itself V8 lets rubbish pile up to several times what is in use. `npm start` gives it more room for what is
  // young in return (--max-semi-space-size), which has to be said before it starts: answers are long gone by the time
  // that it looks.
  setFlagsFromString('--heap-growing-percent=100');
  const joins = joinsAt !== undefined;
  let app: App | undefined;
  const takePort = () => listen(config.http, (request) => app?.fetch(request) ?? stillStarting());
  // Otherwise it comes first: when it is taken, nothing was made yet, above all no first token that nobody would see.
  let listener: Listener | undefined = joins ? undefined : await takePort();
  try {
    // The app takes a while to load, which an embedded database uses to start, on a core of its own. Commands never
    // load it.
    const port = listener?.port ?? joinsAt ?? config.http.port;
    const opening = openRuntime(withRealPort(config, port), log, { joins });
    const [{ runtime, close }, { createApp }] = await Promise.all([opening, import('../app.ts')]);
    try {
      const firstToken = joins ? null : await bootstrap(runtime);
      const stopping = new AbortController();
      app = createApp(runtime, stopping.signal);
      const listening = listener ?? (await takePort());
      listener = listening;
      const stopRevocations = startRevocations(runtime);

      const { publicUrl } = runtime.config.http;

      return {
        port,
        publicUrl,
        greeting: greet(publicUrl, firstToken),
        close: async ({ replaced = false } = {}) => {
          const { shutdownDelayMs, shutdownMs } = config.limits;
          if (!replaced) {
            stopping.abort();
            await sleep(shutdownDelayMs);
          }
          const closed = listening.close(shutdownMs);
          if (replaced) {
            await sleep(SETTLED_MS);
            stopping.abort();
          }
          const cutOff = await closed;
          if (cutOff > 0) log.warn({ connections: cutOff }, 'requests took too long and were cut off');
          stopRevocations();
          await close();
        },
      };
    } catch (error) {
      await close();
      throw error;
    }
  } catch (error) {
    await listener?.close(0);
    throw error;
  }
}

function stillStarting(): Response {
  return new Response('starting', { status: 503, headers: { 'retry-after': '1' } });
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

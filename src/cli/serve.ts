import { serve } from '@hono/node-server';
import type { Command } from 'commander';
import { pino } from 'pino';
import { bootstrap } from '../accounts/bootstrap.ts';
import { createApp } from '../app.ts';
import { type Config, parseConfig } from '../config.ts';
import { applyMigrations } from '../db/migrate.ts';
import { openDatabase } from '../db/open.ts';
import { createProviders } from '../external-auth/provider-registry.ts';
import { startRevocations } from '../external-auth/revocation-outbox.ts';
import { openNotifications } from '../notifications.ts';
import { type Runtime, trackBackground } from '../runtime.ts';
import { openKeyring } from '../secrets/open-keyring.ts';

export function addServeCommand(program: Command): void {
  program
    .command('serve', { isDefault: true })
    .description('Serve the API. Settings come from the environment: see the README.')
    .action(async () => {
      const config = parseConfig(process.env);
      const server = await startServer(config);
      process.stdout.write(`${server.greeting}\n`);
      await new Promise<void>((stop) => {
        process.once('SIGINT', stop);
        process.once('SIGTERM', stop);
      });
      await server.close();
    });
}

export interface RunningServer {
  /** What to tell whoever started it. */
  greeting: string;
  close: () => Promise<void>;
}

/** Opens the database, brings it up to date, and listens. */
export async function startServer(config: Config): Promise<RunningServer> {
  const log = pino({ level: config.log.level });
  const database = await openDatabase(config.database);
  try {
    await applyMigrations(database.connection);
    const { background, settled } = trackBackground(log);
    const notifications = openNotifications(database, log);
    const { fetch } = globalThis;
    const clock = () => new Date();
    const runtime: Runtime = {
      config,
      db: database.db,
      keyring: openKeyring(config),
      notifications,
      providers: createProviders(config, { fetch, clock }),
      log,
      clock,
      fetch,
      background,
    };
    const firstToken = await bootstrap(runtime);
    const app = createApp(runtime);
    const server = await listen(app.fetch, config.http);
    const stopRevocations = startRevocations(runtime);

    return {
      greeting: greet(config, firstToken),
      close: async () => {
        await new Promise((closed) => server.close(closed));
        stopRevocations();
        await settled();
        await notifications.close();
        await database.close();
      },
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}

function listen(fetch: ReturnType<typeof createApp>['fetch'], { port, host }: Config['http']) {
  return new Promise<ReturnType<typeof serve>>((resolve, reject) => {
    const server = serve({ fetch, port, hostname: host }, () => resolve(server));
    server.once('error', reject);
  });
}

function greet({ http: { publicUrl } }: Config, firstToken: string | null): string {
  const lines = [`Gatehouse serves at ${publicUrl}`];
  if (firstToken) {
    lines.push(
      '',
      'This is the first start. The user "admin" was made, with this token, which is shown only now:',
      '',
      `  ${firstToken}`,
      '',
      'Try it:',
      '',
      `  curl ${publicUrl}/graphql -H 'Authorization: Bearer ${firstToken}' -H 'Content-Type: application/json' -d '{"query":"{ viewer { username } }"}'`,
    );
  }
  lines.push('', `GraphiQL: ${publicUrl}/graphql    Stop with Ctrl-C.`);
  return lines.join('\n');
}

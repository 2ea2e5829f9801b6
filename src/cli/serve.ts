import cluster from 'node:cluster';
import type { Command } from 'commander';
import { type Config, parseConfig } from '../config.ts';
import { createLog } from '../log.ts';
import { endIfLate, stopSignal } from './stop-signal.ts';
import { serveAsWorker, serveWithWorkers } from './workers.ts';

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
      if (cluster.isWorker) return serveAsWorker(stopped);
      const config = parseConfig(process.env);
      if (config.workers > 1) return serveWithWorkers(config, stopped);
      return serveAlone(config, stopped);
    });
}

async function serveAlone(config: Config, stopped: Promise<void>): Promise<void> {
  const log = createLog(config.log);
  const { startServer } = await import('./start-server.ts');
  const server = await startServer(config, log);
  log.info({ publicUrl: server.publicUrl, port: server.port }, 'serving');
  process.stdout.write(`${server.greeting}\n`);
  await stopped;
  log.info('stopping');
  endIfLate(config.limits);
  await server.close();
  log.info('stopped');
}

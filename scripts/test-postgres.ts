/**
 * `npm run test:postgres` runs the suite on a PostgreSQL server: the one that TEST_DATABASE_URL names, or one of its
 * own. Arguments go to vitest.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startTemporaryPostgres } from './temporary-postgres.ts';

const given = process.env.TEST_DATABASE_URL;
// Nothing here outlives the run, so nothing has to reach the disk.
const postgres = given ? null : await startTemporaryPostgres(['fsync=off', 'max_connections=300']);
try {
  const url = given ?? postgres?.databaseUrl('gatehouse_test');
  const vitest = spawn('vitest', ['run', ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, TEST_DATABASE_URL: url },
  });
  // Ctrl-C reaches vitest too; the server is stopped when vitest has ended.
  process.on('SIGINT', () => {});
  const [code] = await once(vitest, 'exit');
  process.exitCode = code ?? 1;
} finally {
  await postgres?.stop();
}

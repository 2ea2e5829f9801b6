import { openPostgres, prepareDatabase, deleteWritten } from './database.ts';
import { install } from './install.ts';
import { startLoadGenerator } from './measure.ts';
import { SMALL } from './population.ts';
import { createProgress } from './progress.ts';
import { serverKinds, startServer } from './servers.ts';
import { workloads } from './workloads.ts';
import { measure } from './measure.ts';
const progress = createProgress();
if (!process.env.NOINSTALL) install(progress);
const pgs = await openPostgres(process.env.BENCH_DATABASE_URL);
const db = pgs.databaseUrl('small');
await prepareDatabase(db, SMALL, progress);
const [kindName = 'gatehouse', ...names] = process.argv.slice(2);
const kind = serverKinds.find((k) => k.name === kindName)!;
const prof = process.env.PROF;
if (prof) kind.command.splice(1, 0, '--cpu-prof', '--cpu-prof-dir=/tmp/prof', `--cpu-prof-name=${prof}.cpuprofile`);
const server = await startServer(kind, db);
const gen = startLoadGenerator();
for (const w of workloads.filter((w) => names.includes(w.name))) {
  const [rounds] = await measure(gen, [{ name: kindName, server, workload: w }], w.title, { rounds: 3, seconds: 2, warmupSeconds: 2 }, progress);
  console.log(w.name, rounds!.map((r: any) => JSON.stringify(r)).join('\n  '));
}
await deleteWritten(db);
gen.stop(); await server.stop(); await pgs.stop();

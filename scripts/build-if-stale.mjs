// Builds when there is no build, or a source is newer than it: so that `npm start` is the only line to know.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const inputs = [
  'src',
  'prisma',
  'schema.graphql',
  'codegen.ts',
  'package-lock.json',
  'tsconfig.json',
  'scripts/bundle.ts',
];
const output = 'dist/main.js';

/** The time of the last change within a file or folder. Generated code follows from the rest. */
function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  if (path === join('src', 'generated')) return 0;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

if (!existsSync(output) || Math.max(...inputs.map(newest)) > statSync(output).mtimeMs) {
  process.stdout.write('Building, which takes a moment …\n');
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', 'build'], { encoding: 'utf8' });
  // What the tools say is of use only when one of them fails.
  if (status !== 0) {
    process.stderr.write(`${stdout}${stderr}The build failed: what it said stands above.\n`);
    process.exit(status ?? 1);
  }
  process.stdout.write(`Built in ${Math.round((performance.now() - started) / 1_000)} s.\n`);
}

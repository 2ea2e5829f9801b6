import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Progress } from './progress.ts';
import { root } from './servers.ts';

const bench = join(root, 'bench');

/**
 * Installs the other servers where they are missing or of another version, and builds them and Gatehouse. Their
 * packages stay out of the product's own installation.
 *
 * @throws Error when a step fails; what it printed is on the terminal
 */
export function install(progress: Progress): void {
  if (lockOf('package-lock.json') !== lockOf('node_modules/.package-lock.json')) {
    progress.say('Installing the other servers into bench/node_modules (about 450 MB, once) …');
    run('npm', ['ci', '--no-audit', '--no-fund'], bench);
  }
  progress.say('Building Gatehouse and the other servers …');
  run(process.execPath, ['scripts/build-if-stale.mjs'], root);
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'bench/tsconfig.json'], root);
}

/** The packages and their versions, in a form in which npm's two lock files agree. */
function lockOf(path: string): string | null {
  const file = join(bench, path);
  if (!existsSync(file)) return null;
  const { packages } = JSON.parse(readFileSync(file, 'utf8')) as {
    packages: Record<string, { version?: string; optional?: boolean }>;
  };
  return Object.entries(packages)
    .filter(([name, { optional }]) => name !== '' && !optional)
    .map(([name, { version }]) => `${name}@${version}`)
    .sort()
    .join();
}

function run(program: string, args: string[], cwd: string): void {
  const { status } = spawnSync(program, args, { cwd, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`"${program} ${args.join(' ')}" failed.`);
}

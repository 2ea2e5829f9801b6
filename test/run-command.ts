import { execFile } from 'node:child_process';
import { resolve } from 'node:path';

/** How a command of the gateway is started, in whatever folder. */
export const GATEHOUSE = [process.execPath, resolve('dist/main.js')];

export interface Ended {
  /** The exit code. */
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** All of the environment but for PATH. */
  env?: Record<string, string>;
  cwd?: string;
  /** What it reads from standard input. */
  input?: string;
}

/** Runs a program to its end. It does not throw when the program fails. */
export function run(
  [program = '', ...args]: string[],
  { env = {}, cwd, input = '' }: RunOptions = {},
): Promise<Ended> {
  return new Promise((done) => {
    const child = execFile(
      program,
      args,
      { cwd, env: { PATH: process.env.PATH, ...env }, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        const code = error ? (typeof error.code === 'number' ? error.code : 128) : 0;
        done({ code, stdout, stderr });
      },
    );
    // A program may end without having read it.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

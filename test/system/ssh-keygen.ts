import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What `ssh-keygen -l` prints of a key. */
export interface Described {
  bits: number;
  fingerprint: string;
  /** Empty when the key has none. */
  comment: string;
}

/** Runs ssh-keygen of OpenSSH in an empty folder, which is gone afterwards. */
export function withSshKeygen<Result>(work: (sshKeygen: SshKeygen, folder: string) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-ssh-keygen-'));
  try {
    return work((...args) => run(folder, args), folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

type SshKeygen = (...args: string[]) => string;

/** @throws when ssh-keygen fails */
function run(folder: string, args: string[]): string {
  // Comments outside of ASCII are printed as they are in a locale of UTF-8 only.
  const env = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' };
  return execFileSync('ssh-keygen', args, { cwd: folder, env, encoding: 'utf8', stdio: 'pipe' });
}

/** @returns the line of the .pub file of a new key */
export function makeKey(type: string, bits: number | null, comment: string): string {
  return withSshKeygen((sshKeygen, folder) => {
    sshKeygen('-q', '-t', type, ...(bits ? ['-b', `${bits}`] : []), '-N', '', '-C', comment, '-f', 'key');
    return readFileSync(join(folder, 'key.pub'), 'utf8').replace(/\n$/, '');
  });
}

/** @returns null when ssh-keygen takes the line for no public key */
export function describeKey(line: string): Described | null {
  return withSshKeygen((sshKeygen, folder) => {
    writeFileSync(join(folder, 'key.pub'), `${line}\n`);
    let printed: string;
    try {
      printed = sshKeygen('-l', '-f', 'key.pub');
    } catch {
      return null;
    }
    const [, bits, fingerprint, comment] = /^(\d+) (SHA256:\S+) (.*) \([A-Z0-9-]+\)\n$/.exec(printed) ?? [];
    if (!fingerprint) throw new Error(`ssh-keygen printed something new: ${printed}`);
    return { bits: Number(bits), fingerprint, comment: comment === 'no comment' ? '' : (comment ?? '') };
  });
}

import type { Command } from 'commander';
import { countKeyUse, rotateKeys } from '../secrets/rotate-keys.ts';
import { formatTable } from './table.ts';
import { print, withRuntime } from './with-runtime.ts';

/** `gatehouse keys list|rotate` */
export function addKeysCommand(program: Command): void {
  const keys = program.command('keys').description('Look after the keys that encrypt stored secrets.');

  keys
    .command('list')
    .description('How many stored secrets each key encrypts. Keys are named by the start of their SHA-256.')
    .option('--json', 'for programs')
    .action(async ({ json }: { json?: boolean }) => {
      const uses = await withRuntime(countKeyUse);
      const rows = uses.map(({ keyId, role, secrets }) => ({ key: keyId, role, secrets: String(secrets) }));
      print(json, uses, formatTable(rows));
    });

  keys
    .command('rotate')
    .description(
      'Encrypt everything with the first key of ENCRYPTION_KEYS, while the gateway serves. Start it again after an interruption.',
    )
    .option('--dry-run', 'only see whether everything can be decrypted')
    .option('--json', 'for programs')
    .action(async ({ dryRun, json }: { dryRun?: boolean; json?: boolean }) => {
      const rotation = await withRuntime((runtime) => rotateKeys(runtime, { dryRun }));
      const { total, done, unreadable } = rotation;
      const words = `${done} of ${total} secrets ${dryRun ? 'can be' : 'were'} encrypted with the first key.`;
      print(json, rotation, [words, ...unreadable.map((text) => `Unreadable: ${text}`)].join('\n'));
      // Whoever drops the former key after this must not be told that all is well.
      if (done < total) process.exitCode = 1;
    });
}

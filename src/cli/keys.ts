import type { Command } from 'commander';
import type { Runtime } from '../runtime.ts';
import { keySource } from '../secrets/open-keyring.ts';
import { countKeyUse, type KeyUse, rotateKeys } from '../secrets/rotate-keys.ts';
import { showProgress } from './progress.ts';
import { formatTable } from './table.ts';
import { print, withRuntime } from './with-runtime.ts';

interface Json {
  json?: boolean;
}

/** More say nothing new, and would hide what comes after them. */
const MAX_NAMED = 20;

/** `gatehouse keys status|rotate`. Keys are named by the first 8 digits of their SHA-256. */
export function addKeysCommand(program: Command): void {
  const keys = program.command('keys').description('Look after the keys that encrypt stored secrets.');

  keys
    .command('status')
    .description(
      'The keys, what each encrypts, and which may go. The exit code is 1 when secrets need a key that is not set.',
    )
    .option('--json', 'for programs')
    .action(async ({ json }: Json) => {
      const { uses, source } = await withRuntime(
        async (runtime) => ({ uses: await countKeyUse(runtime), source: keySource(runtime.config) }),
        { anyKeys: true },
      );
      const words = [formatTable(uses.map(toRow)), '', ...adviceOn(uses, source)].join('\n');
      print(json, { keys: uses.map((use) => ({ ...use, mayGo: mayGo(use) })) }, words);
      if (uses.some(({ role }) => role === 'missing')) process.exitCode = 1;
    });

  keys
    .command('rotate')
    .description(
      'Encrypt with the first key what another one encrypts, while the gateway serves. Whoever interrupts it starts it again. The exit code is 1 when secrets were left as they were.',
    )
    .option('--dry-run', 'see whether all of it can be decrypted, and write nothing')
    .option('--json', 'for programs')
    .action(async ({ dryRun = false, json }: Json & { dryRun?: boolean }) => {
      const report = await withRuntime((runtime) => rotate(runtime, dryRun), { anyKeys: true });
      print(json, report, describeRotation(report));
      if (report.unreadable.length > 0 || report.left > 0) process.exitCode = 1;
    });
}

interface RotationReport {
  dryRun: boolean;
  /** The key that encrypts now. */
  keyId: string;
  total: number;
  done: number;
  /** Secrets that cannot be decrypted, with the reason. */
  unreadable: string[];
  /** Secrets that are still under another key although they can be decrypted. */
  left: number;
}

async function rotate(runtime: Runtime, dryRun: boolean): Promise<RotationReport> {
  const progress = showProgress(process.stderr, 'secrets');
  try {
    const { total, done, unreadable } = await rotateKeys(runtime, {
      dryRun,
      onProgress: (rotation) => progress.update(rotation.done, rotation.total),
    });
    // Counted anew: gateways that still encrypt with the former key go on writing.
    const left = dryRun ? total - done - unreadable.length : (await countOthers(runtime)) - unreadable.length;
    return { dryRun, keyId: runtime.keyring.primaryKeyId, total, done, unreadable, left: Math.max(0, left) };
  } finally {
    progress.end();
  }
}

async function countOthers(runtime: Runtime): Promise<number> {
  const uses = await countKeyUse(runtime);
  return uses.reduce((sum, { role, secrets }) => (role === 'primary' ? sum : sum + secrets), 0);
}

function describeRotation({ dryRun, keyId, total, done, unreadable, left }: RotationReport): string {
  const lines = [
    total === 0
      ? `All secrets are under the key ${keyId} already.`
      : `${done} of ${total} ${noun(total)} ${dryRun ? 'can be' : was(total)} encrypted with the key ${keyId}.`,
  ];
  if (left > 0) {
    lines.push(
      `${left} ${left === 1 ? 'is' : 'are'} still under another key, which a gateway has just written. When none encrypts with the former key any more, run it again.`,
    );
  }
  if (unreadable.length > 0) {
    lines.push(
      `${unreadable.length} cannot be read, and ${unreadable.length === 1 ? 'stays as it is' : 'stay as they are'}:`,
      ...unreadable.slice(0, MAX_NAMED).map((text) => `  ${text}`),
    );
    if (unreadable.length > MAX_NAMED) lines.push(`  and ${unreadable.length - MAX_NAMED} more: see --json`);
  }
  return lines.join('\n');
}

const noun = (count: number) => (count === 1 ? 'secret' : 'secrets');
const was = (count: number) => (count === 1 ? 'was' : 'were');

const ROLES: Record<KeyUse['role'], string> = {
  primary: 'encrypts',
  secondary: 'decrypts',
  missing: 'missing',
};

function toRow({ keyId, role, secrets }: KeyUse): Record<string, string> {
  return { key: keyId, role: ROLES[role], secrets: String(secrets) };
}

/** Only a key that nothing needs. The one that encrypts is needed for what comes. */
function mayGo({ role, secrets }: KeyUse): boolean {
  return role === 'secondary' && secrets === 0;
}

function adviceOn(uses: KeyUse[], source: string): string[] {
  const advice = uses.flatMap((use) => {
    const { keyId, role, secrets } = use;
    if (role === 'missing') {
      return [
        `The key ${keyId} is not set, and ${secrets} ${noun(secrets)} ${secrets === 1 ? 'needs' : 'need'} it: put it back into ${source}.`,
      ];
    }
    if (mayGo(use)) {
      return [
        `The key ${keyId} encrypts nothing: it may go from ${source} when no gateway has it first any more.`,
      ];
    }
    return role === 'secondary' ? [`The key ${keyId} may not go yet: run "gatehouse keys rotate".`] : [];
  });
  return advice.length > 0 ? advice : ['There is one key, and nothing to do.'];
}

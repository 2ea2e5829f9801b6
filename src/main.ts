#!/usr/bin/env node
import { existsSync } from 'node:fs';
import module from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { Command } from 'commander';

// Node 20 has none. Where there is one, what is loaded below need not be compiled at each start.
(module as { enableCompileCache?: () => void }).enableCompileCache?.();
// V8 optimises WebAssembly so eagerly that this takes half of the processor time of a start, on the cores that the
// start itself needs. What is called again and again is optimised all the same, within seconds of load.
setFlagsFromString('--wasm-tiering-budget=30000000');

/** By their names. A command loads its own modules only: git waits for git-credential at each fetch. */
const commands: Record<string, () => Promise<(program: Command) => void>> = {
  serve: async () => (await import('./cli/serve.ts')).addServeCommand,
  migrate: async () => (await import('./cli/migrate.ts')).addMigrateCommand,
  user: async () => (await import('./cli/user.ts')).addUserCommand,
  token: async () => (await import('./cli/token.ts')).addTokenCommand,
  keys: async () => (await import('./cli/keys.ts')).addKeysCommand,
  providers: async () => (await import('./cli/providers.ts')).addProvidersCommand,
  'git-credential': async () => (await import('./cli/git-credential.ts')).addGitCredentialCommand,
};

const [, , name = ''] = process.argv;
// An environment that is set goes before the file. git runs its helpers in repositories that anybody may have
// written: a file there could send the token to another gateway.
if (name !== 'git-credential' && existsSync('.env')) process.loadEnvFile('.env');

const program = new Command('gatehouse').description(
  'One GraphQL API for the credentials of an account: linked external accounts, SSH keys, OAuth apps.',
);
// For help, and for what is no command, all of them.
for (const load of Object.hasOwn(commands, name) ? [commands[name]] : Object.values(commands)) {
  (await load?.())?.(program);
}
await program.parseAsync().catch(async (error) => {
  const { reportFailure } = await import('./cli/failure.ts');
  reportFailure(error);
});

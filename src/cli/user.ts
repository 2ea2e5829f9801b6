import type { Command } from 'commander';
import { createUser, setUserDisabled } from '../accounts/accounts.service.ts';
import type { User } from '../generated/prisma/client.ts';
import { formatInstant } from '../graphql/date-time.ts';
import { formatTable } from './table.ts';
import { print, withRuntime } from './with-runtime.ts';

interface Json {
  json?: boolean;
}

/** `gatehouse user create|list|disable|enable` */
export function addUserCommand(program: Command): void {
  const user = program.command('user').description('Look after the accounts.');

  user
    .command('create')
    .description('Make an account. It has no token yet: see "gatehouse token create".')
    .argument('<username>', 'lower-case letters, digits, dots, hyphens and underscores')
    .option('--display-name <name>', 'the name for people')
    .option('--email <address>')
    .option('--json', 'for programs')
    .action(async (username: string, options: Json & { displayName?: string; email?: string }) => {
      const { displayName, email } = options;
      const made = await withRuntime((runtime) => createUser(runtime, { username, displayName, email }));
      print(options.json, toJson(made), `The user "${made.username}" was made. Their id is ${made.id}.`);
    });

  user
    .command('list')
    .description('All accounts, by name.')
    .option('--json', 'for programs')
    .action(async ({ json }: Json) => {
      const users = await withRuntime(({ db }) => db.user.findMany({ orderBy: { username: 'asc' } }));
      const rows = users.map((row) => ({
        username: row.username,
        name: row.displayName ?? '',
        email: row.email ?? '',
        created: formatInstant(row.createdAt),
        state: row.disabledAt ? 'disabled' : 'active',
        id: row.id,
      }));
      print(json, users.map(toJson), rows.length > 0 ? formatTable(rows) : 'There are no users yet.');
    });

  for (const [name, disabled, description] of [
    ['disable', true, 'Stop an account and all its tokens at once. Nothing is deleted.'],
    ['enable', false, 'Let a disabled account and its tokens work again.'],
  ] as const) {
    user
      .command(name)
      .description(description)
      .argument('<username>')
      .option('--json', 'for programs')
      .action(async (username: string, { json }: Json) => {
        const changed = await withRuntime((runtime) => setUserDisabled(runtime, username, disabled));
        print(json, toJson(changed), `The user "${username}" is ${disabled ? 'disabled' : 'enabled'}.`);
      });
  }
}

function toJson({ id, username, displayName, email, createdAt, disabledAt }: User) {
  return { id, username, displayName, email, createdAt, disabledAt };
}

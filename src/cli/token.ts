import type { Command } from 'commander';
import { createApiToken, revokeApiToken, systemActor } from '../accounts/accounts.service.ts';
import { allScopes, type Scope, scopeDescriptions } from '../auth/scopes.ts';
import { NotFound } from '../errors.ts';
import type { ApiToken, User } from '../generated/prisma/client.ts';
import { formatInstant } from '../graphql/date-time.ts';
import type { Runtime } from '../runtime.ts';
import { parseExpiry } from './expiry.ts';
import { formatTable } from './table.ts';
import { print, withRuntime } from './with-runtime.ts';

interface Json {
  json?: boolean;
}

type OwnedToken = ApiToken & { user: Pick<User, 'username'> };

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const SCOPES_HELP = allScopes.map((scope) => `  ${scope.padEnd(20)}${scopeDescriptions[scope]}`).join('\n');

/** `gatehouse token create|list|revoke` */
export function addTokenCommand(program: Command): void {
  const token = program.command('token').description('Look after the tokens for this API.');

  token
    .command('create')
    .description('Make a token for a user. It is shown once, on standard output.')
    .argument('<username>')
    .requiredOption(
      '--scope <scopes>',
      'what it may do: once for each scope, or separated by commas',
      splitScopes,
    )
    .option('--name <name>', 'what it is for', 'command line')
    .option('--expires <when>', 'such as 90d, 12h, 8w or 2027-01-31; without it the token never expires')
    .option('--json', 'for programs')
    .addHelpText('after', `\nScopes:\n${SCOPES_HELP}`)
    .action(async (username: string, options: Json & { scope: Scope[]; name: string; expires?: string }) => {
      const { scope: scopes, name, expires, json } = options;
      const made = await withRuntime(async (runtime) => {
        const { id } = await findUser(runtime, username);
        return createApiToken(runtime, systemActor(id), null, {
          name,
          scopes,
          expiresAt: expires === undefined ? null : parseExpiry(expires, runtime.clock()),
        });
      });
      // The token alone on standard output: it can be piped.
      if (!json) process.stderr.write(`A token for "${username}". It is shown only now:\n`);
      print(json, { token: made.token, ...toJson({ ...made.apiToken, user: { username } }) }, made.token);
    });

  token
    .command('list')
    .description('The tokens of a user, or of all, newest first. The tokens themselves are not kept.')
    .argument('[username]')
    .option('--json', 'for programs')
    .action(async (username: string | undefined, { json }: Json) => {
      const tokens = await withRuntime(async (runtime) => {
        const owner = username === undefined ? {} : { userId: (await findUser(runtime, username)).id };
        const include = { user: { select: { username: true } } };
        return runtime.db.apiToken.findMany({ where: owner, include, orderBy: { id: 'desc' } });
      });
      const rows = tokens.map((row) => ({
        id: row.id,
        user: row.user.username,
        name: row.name,
        begins: row.prefix,
        scopes: row.scopes.join(','),
        expires: row.expiresAt ? formatInstant(row.expiresAt) : 'never',
        'last used': row.lastUsedAt ? formatInstant(row.lastUsedAt) : 'never',
      }));
      print(json, tokens.map(toJson), rows.length > 0 ? formatTable(rows) : 'There are no tokens.');
    });

  token
    .command('revoke')
    .description('End a token at once and for good.')
    .argument('<id>', 'as "gatehouse token list" shows it')
    .option('--json', 'for programs')
    .action(async (id: string, { json }: Json) => {
      const revoked = await withRuntime(async (runtime) => {
        const found = UUID.test(id)
          ? await runtime.db.apiToken.findUnique({ where: { id }, include: { user: true } })
          : null;
        if (!found) throw new NotFound(`The token ${id.slice(0, 8)}…`);
        await revokeApiToken(runtime, systemActor(found.userId), id);
        return found;
      });
      print(json, toJson(revoked), `The token "${revoked.name}" of "${revoked.user.username}" is revoked.`);
    });
}

/** Whether they exist is for the service to say. */
function splitScopes(text: string, before: Scope[] = []): Scope[] {
  return [...before, ...text.split(',').map((scope) => scope.trim() as Scope)];
}

/** @throws NotFound */
async function findUser({ db }: Runtime, username: string): Promise<User> {
  const user = await db.user.findUnique({ where: { username } });
  if (!user) throw new NotFound(`The user "${username}"`);
  return user;
}

function toJson({ id, name, prefix, scopes, expiresAt, lastUsedAt, createdAt, user }: OwnedToken) {
  return { id, username: user.username, name, prefix, scopes, expiresAt, lastUsedAt, createdAt };
}

#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { reportFailure } from './cli/failure.ts';
import { addMigrateCommand } from './cli/migrate.ts';
import { addProvidersCommand } from './cli/providers.ts';
import { addServeCommand } from './cli/serve.ts';
import { addTokenCommand } from './cli/token.ts';
import { addUserCommand } from './cli/user.ts';

// An environment that is set goes before the file.
if (existsSync('.env')) process.loadEnvFile('.env');

const program = new Command('gatehouse').description(
  'One GraphQL API for the credentials of an account: linked external accounts, SSH keys, OAuth apps.',
);
addServeCommand(program);
addMigrateCommand(program);
addUserCommand(program);
addTokenCommand(program);
addProvidersCommand(program);
await program.parseAsync().catch(reportFailure);

#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { reportFailure } from './cli/failure.ts';
import { addProvidersCommand } from './cli/providers.ts';
import { addServeCommand } from './cli/serve.ts';

// An environment that is set goes before the file.
if (existsSync('.env')) process.loadEnvFile('.env');

const program = new Command('gatehouse').description(
  'One GraphQL API for the credentials of an account: linked external accounts, SSH keys, OAuth apps.',
);
addServeCommand(program);
addProvidersCommand(program);
await program.parseAsync().catch(reportFailure);

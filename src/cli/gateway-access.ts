import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { OperatorError } from '../errors.ts';

/** How a machine reaches a gateway that runs elsewhere. */
export interface GatewayAccess {
  /** Without a trailing slash. */
  url: string;
  token: string;
}

type Environment = Record<string, string | undefined>;

/**
 * GATEHOUSE_URL and GATEHOUSE_TOKEN, from the environment, or else from a file of the user's own. Never from the
 * working directory: git runs its helpers in repositories that anybody may have written.
 *
 * @throws OperatorError that says what to set
 */
export function readGatewayAccess(env: Environment): GatewayAccess {
  const file = join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'), 'gatehouse', 'env');
  const isComplete = env.GATEHOUSE_URL && env.GATEHOUSE_TOKEN;
  const kept: Environment = isComplete ? {} : readPrivateFile(file);
  const url = env.GATEHOUSE_URL || kept.GATEHOUSE_URL;
  const token = env.GATEHOUSE_TOKEN || kept.GATEHOUSE_TOKEN;
  if (!url || !token) {
    const missing = [!url && 'GATEHOUSE_URL', !token && 'GATEHOUSE_TOKEN'].filter(Boolean).join(' and ');
    throw new OperatorError(`Set ${missing} in the environment, or in ${file}.`);
  }
  if (!isGatewayUrl(url)) {
    throw new OperatorError('GATEHOUSE_URL takes an address such as https://gatehouse.example.');
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new OperatorError('GATEHOUSE_TOKEN has characters that no token has.');
  }
  return { url: url.replace(/\/+$/, ''), token };
}

function isGatewayUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && username + password + search + hash === '';
}

function readPrivateFile(file: string): Environment {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return {};
    throw new OperatorError(`${file} cannot be read (${code}).`);
  }
  // As ssh does with private keys.
  if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) {
    throw new OperatorError(`${file} holds a token, and others may read it. Run: chmod 600 ${file}`);
  }
  return parseEnv(text) as Environment;
}

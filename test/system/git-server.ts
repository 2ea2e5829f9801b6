import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../run-command.ts';

/** git's own HTTP server: `git http-backend`, behind a door that demands credentials. */
export interface GitServer {
  /** Such as `127.0.0.1:43210`. */
  host: string;
  /** The credentials that were sent so far, as `username:password`. */
  credentials: string[];
  /** Decides who may read the repository at a path such as `/acme/site.git/info/refs`. */
  allow: (may: (credentials: string, path: string) => Promise<boolean>) => void;
  close: () => Promise<void>;
}

/** @param repositories such as `acme/site.git`; each gets one commit of a file README that holds its name */
export async function startGitServer(repositories: string[]): Promise<GitServer> {
  const root = mkdtempSync(join(tmpdir(), 'gatehouse-git-'));
  for (const repository of repositories) await makeRepository(root, repository);
  const credentials: string[] = [];
  let may: Parameters<GitServer['allow']>[0] = async () => false;

  const server = createServer(async (request, response) => {
    const [, basic] = /^Basic (.+)$/.exec(request.headers.authorization ?? '') ?? [];
    const given = basic && Buffer.from(basic, 'base64').toString();
    if (given) credentials.push(given);
    if (given && (await may(given, request.url ?? ''))) serveRepository(root, request, response);
    else response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));

  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials,
    allow: (decide) => {
      may = decide;
    },
    close: () =>
      new Promise((closed) => {
        server.close(() => {
          rmSync(root, { recursive: true });
          closed();
        });
        server.closeAllConnections();
      }),
  };
}

async function makeRepository(root: string, repository: string): Promise<void> {
  const work = join(root, 'work', repository);
  mkdirSync(work, { recursive: true });
  writeFileSync(join(work, 'README'), `${repository}\n`);
  const as = ['-c', 'user.name=Ada', '-c', 'user.email=ada@git.example'];
  for (const args of [
    ['init', '--quiet', '--initial-branch=main'],
    ['add', 'README'],
    [...as, 'commit', '--quiet', '--message=Begin'],
    ['clone', '--quiet', '--bare', '.', join(root, repository)],
  ]) {
    const { code, stderr } = await run(['git', ...args], { cwd: work, env: { HOME: root } });
    if (code !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
  }
}

/** RFC 3875, as far as git http-backend wants it. */
function serveRepository(root: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? '/', 'http://git');
  const backend = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env.PATH,
      HOME: root,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      REQUEST_METHOD: request.method,
      PATH_INFO: pathname,
      QUERY_STRING: search.slice(1),
      CONTENT_TYPE: request.headers['content-type'],
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
      HTTP_GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  request.pipe(backend.stdin);
  backend.stdin.on('error', () => {});
  const chunks: Buffer[] = [];
  backend.stdout.on('data', (chunk) => chunks.push(chunk));
  backend.on('close', () => {
    const output = Buffer.concat(chunks);
    const end = output.indexOf('\r\n\r\n');
    const headers = Object.fromEntries(
      output
        .subarray(0, end)
        .toString()
        .split('\r\n')
        .map((line) => line.split(/: (.*)/s, 2) as [string, string]),
    );
    response.writeHead(Number.parseInt(headers.Status ?? '200', 10), headers).end(output.subarray(end + 4));
  });
}

import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { OperatorError } from '../errors.ts';
import { formatAttributes, isPrivate, parseAttributes, requestedUrl } from './credential-protocol.ts';
import { type GatewayAccess, readGatewayAccess } from './gateway-access.ts';

// git waits for this at each fetch: nothing here may import the server, the database or a schema.

interface Options {
  allowHttp: boolean;
  timeout: string;
}

/** `gatehouse git-credential get`: git's credential helper. Standard output is the protocol's alone. */
export function addGitCredentialCommand(program: Command): void {
  program
    .command('git-credential')
    .description("git's credential helper: gives git the tokens of linked accounts. See docs/machines.md.")
    .argument('<operation>', 'what git asks for: "get"; everything else is ignored, as the protocol demands')
    .option(
      '--allow-http',
      'also give tokens to hosts without TLS, where all on the way can read them',
      false,
    )
    .option('--timeout <seconds>', 'how long the gateway may take; it may have to renew a token first', '40')
    .action(async (operation: string, { allowHttp, timeout }: Options) => {
      // There is nothing to keep or to forget: the gateway has the token, and renews it.
      if (operation !== 'get') return;
      try {
        const seconds = Number(timeout);
        if (!(seconds > 0 && seconds <= 600))
          throw new OperatorError('--timeout takes seconds, from 1 to 600.');
        const answer = await answerGit(await text(process.stdin), { allowHttp, timeoutMs: seconds * 1_000 });
        process.stdout.write(formatAttributes(answer));
      } catch (error) {
        if (!(error instanceof OperatorError)) throw error;
        tell(error.message);
        // Otherwise git would ask for a user name and a password, of which there are none, and hide the reason.
        process.stdout.write(formatAttributes({ quit: '1' }));
      }
    });
}

/**
 * @returns what to tell git; nothing when the URL is not this helper's matter, so that git asks the next one
 * @throws OperatorError when it is, and there is no token
 */
async function answerGit(
  request: string,
  { allowHttp, timeoutMs }: { allowHttp: boolean; timeoutMs: number },
): Promise<Record<string, string>> {
  const url = requestedUrl(parseAttributes(request));
  if (!url) return {};
  if (!allowHttp && !isPrivate(url)) {
    tell(`No token is given to ${url.origin}: without TLS, all on the way could read it. See --allow-http.`);
    return {};
  }
  const access = readGatewayAccess(process.env);
  const found = await askGateway(access, url.href, timeoutMs);
  if (!found) return {};
  const { providerId, linkUrl, credentials } = found;
  if (!credentials) {
    throw new OperatorError(
      `No account is linked for ${url.host} (${providerId}), or its link no longer works. Link it at ${linkUrl} and try again.`,
    );
  }
  const { username, password, expiresAt } = credentials;
  return {
    username,
    password,
    // So that git's cache, when it is asked too, does not keep a token for longer than it lives.
    ...(expiresAt && { password_expiry_utc: String(Math.floor(Date.parse(expiresAt) / 1_000)) }),
  };
}

interface ExternalAuthToken {
  providerId: string;
  linkUrl: string;
  credentials: { username: string; password: string; expiresAt: string | null } | null;
}

const QUERY = `query GitCredential($match: String!) {
  externalAuthToken(match: $match) { providerId linkUrl credentials { username password expiresAt } }
}`;

/** @returns null when no provider of the gateway serves the URL */
async function askGateway(
  { url, token }: GatewayAccess,
  match: string,
  timeoutMs: number,
): Promise<ExternalAuthToken | null> {
  try {
    const body = JSON.stringify({ query: QUERY, variables: { match } });
    return readAnswer(url, await post(`${url}/graphql`, token, body, AbortSignal.timeout(timeoutMs)));
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    const { name, code, message } = error as NodeJS.ErrnoException;
    throw new OperatorError(
      name === 'AbortError' || name === 'TimeoutError'
        ? `The gateway at ${url} did not answer within ${timeoutMs / 1_000} seconds. Try again.`
        : `The gateway at ${url} cannot be reached (${code ?? message}). Correct GATEHOUSE_URL, or try again.`,
    );
  }
}

interface HttpAnswer {
  status: number;
  location: string | undefined;
  body: string;
}

/**
 * Not by `fetch`, which takes longer to load than everything else here together. Redirects are not followed: the
 * token goes to the address that was set, and nowhere else.
 */
async function post(url: string, token: string, body: string, signal: AbortSignal): Promise<HttpAnswer> {
  const { request } = url.startsWith('https:') ? await import('node:https') : await import('node:http');
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json',
  };
  return new Promise((resolve, reject) => {
    request(url, { method: 'POST', headers, signal, agent: false }, (response) => {
      const {
        statusCode: status = 0,
        headers: { location },
      } = response;
      text(response).then((body) => resolve({ status, location, body }), reject);
    })
      .on('error', reject)
      .end(body);
  });
}

function readAnswer(url: string, { status, location, body }: HttpAnswer): ExternalAuthToken | null {
  if (location)
    throw new OperatorError(`The gateway at ${url} has moved to ${location}. Set GATEHOUSE_URL to that.`);
  const { data, errors } = parseJson(body);
  const [error] = errors ?? [];
  switch (error?.extensions?.code) {
    case undefined:
      break;
    case 'UNAUTHENTICATED':
      throw new OperatorError(
        `GATEHOUSE_TOKEN is unknown at ${url}, has expired or was revoked. Set another one.`,
      );
    case 'FORBIDDEN':
      throw new OperatorError('GATEHOUSE_TOKEN lacks the scope external_auth:token. Set one that has it.');
    default:
      throw new OperatorError(`The gateway has no token to give: ${error?.message}`);
  }
  if (data?.externalAuthToken === undefined) {
    throw new OperatorError(
      `What ${url} answered (HTTP ${status}) is none of a gateway's answers. Correct GATEHOUSE_URL, or try again.`,
    );
  }
  return data.externalAuthToken;
}

interface Answer {
  data?: { externalAuthToken?: ExternalAuthToken | null } | null;
  errors?: Array<{ message: string; extensions?: { code?: string } }>;
}

function parseJson(body: string): Answer {
  try {
    return JSON.parse(body) ?? {};
  } catch {
    return {};
  }
}

/** One line on standard error, which git passes on to the terminal. What servers said must not steer that. */
function tell(message: string): void {
  process.stderr.write(`Gatehouse: ${message.replace(/\p{Cc}+/gu, ' ')}\n`);
}

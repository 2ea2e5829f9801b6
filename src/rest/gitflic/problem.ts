import { STATUS_CODES } from 'node:http';
import type { z } from 'zod';
import { formatInstant } from '../../graphql/date-time.ts';
import type { Problem } from './schemas.ts';

/** A request that is answered with an error. */
export class GitflicProblem extends Error {
  readonly code: string;
  readonly status: number;
  readonly violations: Violation[];
  readonly headers: Record<string, string>;

  constructor(
    code: string,
    status: number,
    message: string,
    { violations = [], headers = {} }: { violations?: Violation[]; headers?: Record<string, string> } = {},
  ) {
    super(message);
    this.name = 'GitflicProblem';
    this.code = code;
    this.status = status;
    this.violations = violations;
    this.headers = headers;
  }

  /** The envelope. The documentation shows none; clients read `title`, `message` or `error`. */
  toBody(path: string, time: Date): z.infer<typeof Problem> {
    const { code, status, message, violations } = this;
    return {
      timestamp: formatInstant(time),
      status,
      // The dialect has no 401: by this name, clients tell a bad token from missing rights.
      error: code === 'UNAUTHENTICATED' ? 'AuthenticationException' : (STATUS_CODES[status] ?? 'Error'),
      title: `error.${camelCase(code)}`,
      message,
      path,
      violations,
    };
  }
}

type Violation = z.infer<typeof Problem>['violations'][number];

export function signedOut(): GitflicProblem {
  return new GitflicProblem(
    'UNAUTHENTICATED',
    403,
    'The token is missing, unknown, expired or revoked. Send it as "Authorization: token <token>".',
  );
}

export function notFound(message: string): GitflicProblem {
  return new GitflicProblem('NOT_FOUND', 404, message);
}

/** @param requestId goes into the answer: the administrator finds the log line by it */
export function internal(requestId: string): GitflicProblem {
  return new GitflicProblem(
    'INTERNAL_SERVER_ERROR',
    500,
    `Something went wrong on our side. Tell the administrator the request id: ${requestId}`,
  );
}

/** What one part of a request breaks. */
export function invalid(violations: Violation[]): GitflicProblem {
  return new GitflicProblem('INVALID_INPUT', 422, violations.map(({ message }) => message).join(' '), {
    violations,
  });
}

/** What is known of a failure: of an operation, of a declared error, or of one before any operation. */
interface Failure {
  code: string;
  message: string;
  path?: string[] | null;
  issues?: { path: string[]; message: string }[];
}

/** What this dialect calls the inputs of our operations. */
const FIELDS: Record<string, string> = {
  redirectUris: 'authCallbackUrl',
  firstRedirectUri: 'authCallbackUrl',
};

const STATUS: Record<string, number> = {
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  INVALID_INPUT: 422,
  SSH_KEY_ALREADY_IN_USE: 422,
  BODY_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  SERVICE_UNAVAILABLE: 503,
  EXECUTION_TIMEOUT: 504,
};

/** One of the known clients waits as it is told. */
const RETRY_AFTER_S = '5';

/** @returns null for an error that this dialect does not know: a fault of our own */
export function problemOf({ code, message, path, issues }: Failure): GitflicProblem | null {
  if (code === 'UNAUTHENTICATED') return signedOut();
  if (code === 'MALFORMED_BODY') return invalid([{ field: 'body', message }]);
  const status = STATUS[code];
  if (!status) return null;
  const faults = issues ?? (status === 422 && path ? [{ path, message }] : []);
  // A path is ["input", "redirectUris", "0"]: the operation's argument, its field, and a place within.
  const violations = faults.map(({ path: [, field = 'body'], message }) => ({
    field: FIELDS[field] ?? field,
    message,
  }));
  const headers: Record<string, string> = status === 503 ? { 'retry-after': RETRY_AFTER_S } : {};
  return new GitflicProblem(code, status, message, { violations, headers });
}

/** `NOT_FOUND` is `notFound`. */
function camelCase(code: string): string {
  return code.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

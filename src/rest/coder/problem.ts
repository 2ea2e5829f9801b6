import type { GraphQLError } from 'graphql';
import type { z } from 'zod';
import type { InputIssue } from '../../errors.ts';
import type { Problem as ProblemSchema } from './schemas.ts';

type Problem = z.infer<typeof ProblemSchema>;

/** A request that is answered with an error. */
export class CoderProblem extends Error {
  readonly status: number;
  readonly body: Problem;
  readonly headers: Record<string, string>;

  constructor(status: number, body: Problem, headers: Record<string, string> = {}) {
    super(body.message);
    this.name = 'CoderProblem';
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** What an operation says of a failure: in its errors, or as a declared one in its data. */
interface OperationFailure {
  code: string;
  message: string;
  /** The bare OAuth error code, when a provider refused a device. */
  oauthError?: string;
  issues?: InputIssue[];
  /** Such as `Retry-After`. */
  http?: { headers?: Record<string, string> };
}

const STATUS: Record<string, number> = {
  FORBIDDEN: 403,
  INVALID_INPUT: 400,
  EXTERNAL_AUTH_DEVICE_UNSUPPORTED: 400,
  EXTERNAL_AUTH_DEVICE_REFUSED: 400,
  EXTERNAL_AUTH_PROVIDER_FAILURE: 502,
  PROVIDER_FAILURE: 502,
  SERVICE_UNAVAILABLE: 503,
  EXECUTION_TIMEOUT: 504,
};

/** @throws Error for a code that this dialect was not taught */
export function problemOf(
  { code, message, oauthError, issues, http }: OperationFailure,
  requestId: string,
): CoderProblem {
  if (code === 'UNAUTHENTICATED') return signedOut(true);
  if (code === 'NOT_FOUND') return notFound();
  if (code === 'INTERNAL_SERVER_ERROR') return internal(requestId);
  const status = STATUS[code];
  if (!status) throw new Error(`No status for ${code}: ${message}`);
  const validations = issues?.map(({ path, message: detail }) => ({ field: fieldOf(path), detail }));
  return new CoderProblem(status, { message, detail: oauthError, validations }, http?.headers);
}

/** An operation's own errors: those that no mutation declares. */
export function problemOfErrors(errors: readonly GraphQLError[], requestId: string): CoderProblem {
  const [error] = errors;
  const { code = '', issues, http } = (error?.extensions ?? {}) as Partial<OperationFailure>;
  return problemOf({ code, message: error?.message ?? '', issues, http }, requestId);
}

/** @param hasCredential whether a credential came along that was not good enough */
export function signedOut(hasCredential: boolean): CoderProblem {
  return new CoderProblem(
    401,
    {
      message: 'You are signed out or your session has expired. Please sign in again to continue.',
      detail: hasCredential
        ? 'The token is unknown, expired or revoked.'
        : 'Send a token in the header Coder-Session-Token, as Authorization: Bearer, or in the cookie coder_session_token.',
    },
    { 'www-authenticate': 'Bearer' },
  );
}

/** One text for what does not exist and for what is somebody else's, word for word the one that clients know. */
export function notFound(): CoderProblem {
  return new CoderProblem(404, {
    message: 'Resource not found or you do not have access to this resource',
  });
}

/** @param requestId the administrator finds the log line by it */
export function internal(requestId: string): CoderProblem {
  return new CoderProblem(500, {
    message: 'An internal server error occurred.',
    detail: `Tell the administrator the request id: ${requestId}`,
  });
}

/** `['input', 'deviceCode']` is `device_code`. */
function fieldOf(path: string[]): string {
  return (path.at(-1) ?? '').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/**
 * An expected failure. It keeps three things apart: a permanent `code` for programs, a message that anybody may
 * read, and a private `cause` for the log.
 */
export class DomainError extends Error {
  readonly code: string;
  /** The HTTP status of a transport that has to choose one. */
  readonly status: number;
  /**
   * Where in the operation's arguments the fault lies, such as `['input', 'publicKey']`. Not named `path`: graphql-js
   * takes an error that has one for its own, and leaves out where in the query it happened.
   */
  readonly inputPath: string[] | null;

  constructor(
    code: string,
    status: number,
    message: string,
    options: { path?: string[]; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.status = status;
    this.inputPath = options.path ?? null;
  }
}

/** What whoever runs the gateway has to put right. The message says what, and how; no request ever meets it. */
export class OperatorError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = new.target.name;
  }
}

/** One fault of an input. */
export interface InputIssue {
  /** Where in the operation's arguments, such as `['input', 'title']`. */
  path: string[];
  message: string;
}

/** One or more inputs break a rule. All faults are named at once. */
export class InvalidInput extends DomainError {
  readonly issues: InputIssue[];

  constructor(issues: [InputIssue, ...InputIssue[]]) {
    // The items of a list may all break the same rule.
    const messages = new Set(issues.map(({ message }) => message));
    super('INVALID_INPUT', 422, [...messages].join(' '), { path: issues[0].path });
    this.issues = issues;
  }
}

/** No such row, or it belongs to somebody else: the two cannot be told apart. */
export class NotFound extends DomainError {
  constructor(what: string, path?: string[]) {
    super('NOT_FOUND', 404, `${what} was not found.`, { path });
  }
}

export class Unauthenticated extends DomainError {
  constructor(
    message = 'Sign in: send a token as "Authorization: Bearer <token>". There is none, or it is unknown, expired or revoked.',
  ) {
    super('UNAUTHENTICATED', 401, message);
  }
}

export class Forbidden extends DomainError {
  constructor(message: string) {
    super('FORBIDDEN', 403, message);
  }
}

/** The database is away or overwhelmed. Nothing is wrong with the request. */
export class ServiceUnavailable extends DomainError {
  /** What `Retry-After` says, in seconds. */
  readonly retryAfter = 5;

  constructor(cause?: unknown) {
    super('SERVICE_UNAVAILABLE', 503, 'The service is not available right now. Try again in a few seconds.', {
      cause,
    });
  }
}

/** The operation took too long. What it changed before that stands. */
export class ExecutionTimeout extends DomainError {
  constructor(ms: number) {
    super('EXECUTION_TIMEOUT', 504, `The operation took longer than ${ms / 1_000} s and was given up.`);
  }
}

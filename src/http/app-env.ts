import type { Identity } from './identify.ts';

/** What the middleware of the routes leaves for them. */
export interface AppEnv {
  Variables: Identity & { requestId: string };
  Bindings: Begun;
}

/** What is known of a request before the routes see it, when somebody else began to answer it. */
export interface Begun {
  requestId?: string;
  /** What went wrong there, in an object so that it can be anything. It is answered as if it had gone wrong here. */
  failed?: { error: unknown };
}

import type { User } from '../generated/prisma/client.ts';
import type { Scope } from './scopes.ts';

/** Who asks: a user, by way of one of their tokens. */
export interface Viewer {
  /** As it was when the token was read: up to some seconds ago (token-rows.ts). */
  user: User;
  tokenId: string;
  scopes: ReadonlySet<Scope>;
}

/** Who did something, for the audit trail: a viewer in a request, or null parts for the command line. */
export interface Actor {
  userId: string;
  tokenId: string | null;
  requestId: string | null;
}

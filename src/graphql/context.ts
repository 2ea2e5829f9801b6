import type { Actor, Viewer } from '../auth/viewer.ts';
import { Unauthenticated } from '../errors.ts';
import type { Runtime } from '../runtime.ts';

/** What every resolver gets. One for each operation; request-scoped dataloaders hang on it. */
export interface Context {
  runtime: Runtime;
  /** Null when nobody is signed in. */
  viewer: Viewer | null;
  requestId: string;
}

/** @throws Unauthenticated */
export function requireViewer({ viewer }: Context): Viewer {
  if (!viewer) throw new Unauthenticated();
  return viewer;
}

/**
 * Who acts, for services and the audit trail.
 *
 * @throws Unauthenticated
 */
export function actorOf(context: Context): Actor {
  const { user, tokenId } = requireViewer(context);
  return { userId: user.id, tokenId, requestId: context.requestId };
}

import type { Viewer } from '../auth/viewer.ts';

/** What the middleware of `createApp` leaves for the routes. */
export interface AppEnv {
  Variables: {
    requestId: string;
    /** Null when the request carries no credential, or one that is not valid. */
    viewer: Viewer | null;
    /** Whether a credential came along, valid or not. */
    hasCredential: boolean;
  };
}

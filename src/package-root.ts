import { fileURLToPath } from 'node:url';

/** The folder of package.json. It is one up from here, and from each file of the build, whichever holds this. */
export const packageRoot = fileURLToPath(new URL('..', import.meta.url));

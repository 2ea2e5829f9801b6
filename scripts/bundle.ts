import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

// What the gateway ships as: some thirty files in place of the thousand modules of its packages, which take most of
// a start to find and to load (docs/adr/0008-one-bundle.md). Not minified: a stack trace names what stands there.
// Files of earlier builds stay. A process that runs from them may still have to load one.

const require = createRequire(import.meta.url);
const graphqlDir = dirname(require.resolve('graphql/package.json'));

/** Packages that find files of their own beside themselves. */
const KEPT_OUT = [
  '@electric-sql/*',
  '@graphql-yoga/render-graphiql',
  '@prisma/schema-engine-wasm',
  'swagger-ui-dist',
];

/** Optional packages that `pg` looks for. */
const ABSENT = ['pg-native', 'cloudflare:sockets'];

export async function bundle(): Promise<void> {
  await build({
    absWorkingDir: fileURLToPath(new URL('..', import.meta.url)),
    entryPoints: { main: 'src/main.ts', 'embedded-worker': 'src/db/embedded-worker.ts' },
    outdir: 'dist',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    mainFields: ['module', 'main'],
    external: [...KEPT_OUT, ...ABSENT],
    // CommonJS packages call require for modules of Node.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    plugins: [
      {
        // Whether import or require asks for it: graphql refuses to work with a second copy of itself.
        name: 'one graphql',
        setup: ({ onResolve }) =>
          onResolve({ filter: /^graphql(\/|$)/ }, ({ path }) => {
            const module =
              path === 'graphql' ? 'index' : path.slice('graphql/'.length).replace(/\.m?js$/, '');
            return { path: join(graphqlDir, `${module}.mjs`) };
          }),
      },
    ],
    logLevel: 'warning',
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle();

/** `npm run demo`: a gateway, a provider to link accounts of, a front end and sample data, until Ctrl-C. */

// The provider warns at length, from the moment that it is loaded, that it is set up for a demo. It is.
const { console } = globalThis;
for (const level of ['info', 'warn'] as const) {
  const write = console[level];
  console[level] = (...words: unknown[]) => {
    if (!String(words[0]).includes('oidc-provider')) write(...words);
  };
}
const { startDemo } = await import('./start-demo.ts');

// From the beginning, so that a start that is interrupted leaves nothing behind.
const stopped = new Promise((stop) => {
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
});
const base = Number(process.env.PORT ?? 4000);
process.stdout.write('Starting …\n');
const demo = await startDemo({ gateway: base, upstream: base + 1, page: base + 2 }).catch((error: Error) => {
  const { code, port } = error as NodeJS.ErrnoException & { port?: number };
  const taken = `Port ${port} is taken. Stop what listens there, or choose three others: PORT=5000 npm run demo`;
  process.stderr.write(`${code === 'EADDRINUSE' ? taken : error.message}\n`);
  process.exit(1);
});

process.stdout.write(`
  A front end     ${demo.page}
  GraphiQL        ${demo.gateway}/graphql
  REST APIs       ${demo.gateway}/docs
  OAuth provider  ${demo.upstream.issuer}   (any name, any password)

Link an account by device flow, from a terminal:

  export TOKEN=${demo.token}
  curl -s ${demo.gateway}/api/v2/external-auth/demo/device -H "Coder-Session-Token: $TOKEN"

Open the verification_uri of the answer in a browser, enter the user_code, sign in and agree. Then:

  curl -si -X POST ${demo.gateway}/api/v2/external-auth/demo/device -H "Coder-Session-Token: $TOKEN"
  curl -s ${demo.gateway}/api/v2/external-auth/demo -H "Coder-Session-Token: $TOKEN"

The first answers 204, the second shows the account. Stop with Ctrl-C; nothing is kept.
`);

await Promise.race([stopped, demo.ended]);
await demo.stop();

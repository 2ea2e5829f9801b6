import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { createApiToken, createUser, systemActor } from './src/accounts/accounts.service.ts';
import { createApp } from './src/app.ts';
import { parseConfig } from './src/config.ts';
import { applyMigrations } from './src/db/migrate.ts';
import { openDatabase } from './src/db/open.ts';
import { openNotifications } from './src/notifications.ts';
import { trackBackground } from './src/runtime.ts';
import { createKeyring } from './src/secrets/keyring.ts';

const config = parseConfig({
  DATABASE_URL: 'postgres://postgres@127.0.0.1:54329/fp_test',
  ENCRYPTION_KEYS: Buffer.alloc(32, 1).toString('base64'),
  LOG_LEVEL: 'silent',
});
const sqls: string[] = [];
const database = await openDatabase(config.database, process.env.SQL ? { onQuery: (q) => sqls.push(q) } : {});
await applyMigrations(database.connection);
const log = pino({ level: 'silent' });
const { background } = trackBackground(log);
import { createProviders } from './src/external-auth/provider-registry.ts';
const runtime: any = { providers: createProviders(config, { fetch, clock: () => new Date() }),
  config,
  db: database.db,
  keyring: createKeyring(config.encryptionKeys!),
  notifications: openNotifications(database, log),
  log,
  clock: () => new Date(),
  fetch,
  background,
};
const app = createApp(runtime);
const tokens: string[] = [];
for (let i = 0; i < 50; i++) {
  const { id } = await createUser(runtime, { username: `u-${randomUUID().slice(0, 13)}` });
  const { token } = await createApiToken(runtime, systemActor(id), null, { name: 't', scopes: ['admin'] });
  tokens.push(token);
  await database.db.sshKey.createMany({
    data: Array.from({ length: 10 }, (_, k) => ({
      userId: id,
      title: `k${k}`,
      type: 'ssh-ed25519',
      publicKey: 'ssh-ed25519 AAAA',
      comment: 'c',
      bits: 256,
      blobHash: Buffer.from(randomUUID()),
    })),
  });
}
const queries: Record<string, string> = {
  viewer: '{ viewer { id username createdAt } }',
  keys: '{ viewer { id username sshKeys(first: 10) { totalCount edges { node { id title fingerprint type bits state createdAt } } } } }',
  keys2:
    '{ viewer { id username sshKeys(first: 10) { edges { node { id title fingerprint type bits state createdAt } } } } }',
};
async function run(q: string, ms: number) {
  let n = 0;
  const end = Date.now() + ms;
  const c0 = process.cpuUsage();
  const t0 = Date.now();
  await Promise.all(
    Array.from({ length: 64 }, async (_, w) => {
      for (let i = w; Date.now() < end; i++) {
        const r = await app.fetch(
          new Request('http://x/graphql', {
            method: 'POST',
            headers: {
              authorization: `Bearer ${tokens[i % 50]}`,
              'content-type': 'application/json',
              accept: 'application/json',
            },
            body: JSON.stringify({ query: q }),
          }),
        );
        const text = await r.text();
        if (r.status !== 200) throw new Error(text);
        n++;
      }
    }),
  );
  const c = process.cpuUsage(c0);
  const dt = (Date.now() - t0) / 1000;
  return { rps: Math.round(n / dt), cpu: Math.round((c.user + c.system) / n) };
}
const only = process.argv[2];
for (const [name, q] of Object.entries(queries)) {
  if (only && name !== only) continue;
  await run(q, 1500);
  console.log(name, await run(q, 3000));
}
if (process.env.SQL) {
  for (const q of Object.values(queries)) {
    sqls.length = 0;
    await app.fetch(
      new Request('http://x/graphql', {
        method: 'POST',
        headers: {
          authorization: `Bearer ${tokens[0]}`,
          'content-type': 'application/json',
          accept: 'application/json',
        },
        body: JSON.stringify({ query: q }),
      }),
    );
    console.log(sqls.join('\n'), '\n');
  }
}
process.exit(0);

import { beforeAll, expect, it } from 'vitest';
import { useGateway } from '../harness.ts';
import { newPublicKey } from '../new-public-key.ts';

// A statement without an index is quick in every test, and slow once there are a million users. So the plans are
// read, with reading a whole table made so expensive that it is chosen only where there is no other way.

const gateway = useGateway();
const statements = new Set<string>();

const QUERY = `{ viewer {
  id username
  sshKeys(first: 10) { totalCount edges { cursor node { id title fingerprint } } pageInfo { hasNextPage } }
  oauthApps(first: 10) { totalCount edges { cursor node { id name secrets { id prefix } } } }
  externalAuthLinks { id providerId expiresAt }
  apiTokens(first: 10) { totalCount edges { node { id name } } }
} }`;
const ADD_KEY = `mutation ($publicKey: String!) { addSshKey(input: { title: "key", publicKey: $publicKey }) {
  ... on AddSshKeyPayload { sshKey { id fingerprint } } } }`;
const CREATE_APP = `mutation { createOAuthApp(input: { name: "app", homepageUrl: "https://app.example",
  redirectUris: ["https://app.example/cb"] }) { ... on CreateOAuthAppPayload { oauthApp { id uuid } } } }`;

beforeAll(async () => {
  const { token } = await gateway.user();
  const ask = async (query: string, variables = {}) => (await gateway.graphql(query, variables, token)).data;
  const first = gateway.statements.length;

  const { sshKey } = (await ask(ADD_KEY, { publicKey: newPublicKey() })).addSshKey;
  const { oauthApp } = (await ask(CREATE_APP)).createOAuthApp;
  // A query that comes again and again is compiled, and PostgreSQL writes its rows as JSON.
  for (let use = 0; use < 6; use += 1) await ask(QUERY);
  const { viewer } = await ask(QUERY);
  const cursor = viewer.sshKeys.edges[0].cursor;
  await ask('query ($after: String!) { viewer { sshKeys(first: 5, after: $after) { totalCount } } }', {
    after: cursor,
  });
  await ask('query ($id: String!) { viewer { sshKey(fingerprint: $id) { id } } }', {
    id: sshKey.fingerprint,
  });
  await ask('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: [sshKey.id, oauthApp.id, viewer.id] });
  for (const path of [
    '/user/me',
    '/user/settings/oauth/?page=1&size=5',
    `/user/settings/oauth/${oauthApp.uuid}`,
    '/api/v2/external-auth',
  ]) {
    expect((await gateway.fetch(path, { token })).status, path).toBe(200);
  }
  for (const sql of gateway.statements.slice(first)) {
    if (/^\s*(SELECT|UPDATE|WITH|DELETE)\b/.test(sql) && sql.includes('$1')) statements.add(sql);
  }
});

interface Plan {
  'Node Type': string;
  'Relation Name'?: string;
  Plans?: Plan[];
}

function scansOf({ 'Node Type': type, 'Relation Name': table, Plans = [] }: Plan): string[] {
  return [...(type === 'Seq Scan' && table ? [table] : []), ...Plans.flatMap(scansOf)];
}

it('every statement of the common requests finds its rows through an index', async () => {
  expect([...statements].filter((sql) => sql.includes('json_rows')).length).toBeGreaterThanOrEqual(3);
  expect(statements.size).toBeGreaterThan(10);
  for (const sql of statements) {
    const count = Math.max(...[...sql.matchAll(/\$(\d+)/g)].map(([, n]) => Number(n)));
    const nulls = Array.from({ length: count }, () => 'NULL').join(', ');
    const [row] = await gateway.runtime.db.$transaction(async (tx) => {
      await tx.$executeRawUnsafe('SET LOCAL enable_seqscan = off');
      // Without the values, of which NULL would be planned as nothing to find.
      await tx.$executeRawUnsafe('SET LOCAL plan_cache_mode = force_generic_plan');
      await tx.$executeRawUnsafe(`PREPARE explained AS ${sql}`);
      const rows = await tx.$queryRawUnsafe<{ 'QUERY PLAN': [{ Plan: Plan }] }[]>(
        `EXPLAIN (FORMAT JSON) EXECUTE explained(${nulls})`,
      );
      await tx.$executeRawUnsafe('DEALLOCATE explained');
      return rows;
    });
    expect(row?.['QUERY PLAN'][0].Plan, sql).toBeDefined();
    expect(scansOf(row?.['QUERY PLAN'][0].Plan as Plan), sql).toEqual([]);
  }
});

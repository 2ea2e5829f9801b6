import { appIdOf, COLLECTORS, HOARDER, KEYS_OF_HOARDER, keyIdOf, REGULARS, range } from './population.ts';

export interface HttpRequest {
  method: 'GET' | 'POST';
  path: string;
  /** An active user, whose token goes with the request. */
  user: number;
  body?: string;
}

/** What a request needs that no two requests may share. */
export interface Unique {
  /** A public key that nobody has. */
  publicKey: string;
  serial: number;
}

/** How the words of a server differ from Gatehouse's. */
export type Words = 'gatehouse' | 'postgraphile';

export type WorkloadKind = 'graphql-read' | 'rest-read' | 'write' | 'mix';

export interface Workload {
  name: string;
  title: string;
  kind: WorkloadKind;
  /** Whose requests they are. */
  users: number[];
  /** The requests of one user, in turn. `unique` is called only for requests that store something. */
  requests: (user: number, words: Words, unique: () => Unique) => HttpRequest[];
  /** What every answer contains. Checked on each answer while it is measured. */
  expect: RegExp;
}

/** The operations of the workloads, for Gatehouse and whoever has its schema. */
const texts = {
  viewer: 'query Viewer { viewer { id uuid username displayName email createdAt } }',
  viewerKeys: `query ViewerKeys {
    viewer {
      id
      username
      sshKeys(first: 10) {
        edges { node { id uuid title type bits publicKey fingerprint usage state expiresAt createdAt } }
        pageInfo { hasNextPage endCursor }
      }
    }
    }`,
  viewerAll: `query ViewerAll {
    viewer {
      id
      username
      sshKeys(first: 10) {
        totalCount
        edges { node { id title type fingerprint state expiresAt } }
      }
      oauthApps(first: 10) {
        totalCount
        edges { node { id name clientId homepageUrl standalone secrets { id prefix createdAt expiresAt } } }
      }
      externalAuthLinks { id uuid providerId hasRefreshToken expiresAt refreshFailureReason createdAt updatedAt }
    }
    }`,
  apps: `query Apps {
    viewer {
      id
      oauthApps(first: 50) {
        totalCount
        edges {
          cursor
          node {
            id uuid name description clientId homepageUrl redirectUris standalone createdAt updatedAt
            secrets { id prefix createdAt lastUsedAt expiresAt }
          }
        }
        pageInfo { hasNextPage endCursor }
      }
    }
    }`,
  moreApps: `query MoreApps($after: String!) {
    viewer {
      oauthApps(first: 50, after: $after) {
        edges { node { id name } }
        pageInfo { hasNextPage }
      }
    }
    }`,
  keysPage: `query KeysPage($after: String) {
    viewer {
      id
      sshKeys(first: 50, after: $after) {
        edges { cursor node { id title fingerprint } }
        pageInfo { hasNextPage endCursor }
      }
    }
    }`,
  addKey: `mutation AddKey($input: AddSshKeyInput!) {
    addSshKey(input: $input) {
      __typename
      ... on AddSshKeyPayload { sshKey { id uuid title type bits publicKey fingerprint usage state expiresAt createdAt } }
      ... on UserError { code message }
    }
    }`,
  createApp: `mutation CreateApp($input: CreateOAuthAppInput!) {
    createOAuthApp(input: $input) {
      __typename
      ... on CreateOAuthAppPayload {
        clientSecret
        oauthApp { id uuid name description clientId homepageUrl redirectUris standalone createdAt }
      }
      ... on UserError { code message }
    }
    }`,
} satisfies Record<string, string>;

export type OperationName = keyof typeof texts;

/** In one line each, as build tools ship them. */
const operations = Object.fromEntries(
  Object.entries<string>(texts).map(([name, text]) => {
    const gatehouse = text.replace(/\s+/g, ' ');
    return [name, { gatehouse, postgraphile: inPostgraphileWords(gatehouse) }];
  }),
) as Record<OperationName, Record<Words, string>>;

/**
 * PostGraphile lists by ascending key unless told otherwise, has a type of its own for cursors, and a mutation's
 * failure is an error of the whole request, without a union.
 */
function inPostgraphileWords(text: string): string {
  return text
    .replace(/\b(sshKeys|oauthApps)\(/g, '$1(orderBy: PRIMARY_KEY_DESC, ')
    .replace(/\bexternalAuthLinks \{/g, 'externalAuthLinks(orderBy: UPDATED_AT_DESC) {')
    .replace(/\bsecrets \{/g, 'secrets: secretsList {')
    .replace(/\$after: String/g, '$after: Cursor')
    .replace(/\.\.\. on UserError \{[^}]*\}/g, '')
    .replace(/\.\.\. on \w+Payload \{(.*)\} \} \}$/, '$1 } }');
}

/** A POST of one operation, as clients send it. */
export function graphqlRequest(
  name: OperationName,
  user: number,
  words: Words = 'gatehouse',
  variables?: Record<string, unknown>,
): HttpRequest {
  const query = operations[name][words];
  const operationName = name.charAt(0).toUpperCase() + name.slice(1);
  return {
    method: 'POST',
    path: '/graphql',
    user,
    body: JSON.stringify({ operationName, query, variables }),
  };
}

export function addKeyRequest(user: number, words: Words, { publicKey, serial }: Unique): HttpRequest {
  return graphqlRequest('addKey', user, words, { input: { title: `Written ${serial}`, publicKey } });
}

export function createAppRequest(user: number, words: Words, { serial }: Unique): HttpRequest {
  return graphqlRequest('createApp', user, words, {
    input: {
      name: `Written ${serial}`,
      description: 'Made by the benchmark',
      homepageUrl: `https://written.example.com/${serial}`,
      redirectUris: [`https://written.example.com/${serial}/callback`],
      standalone: false,
    },
  });
}

const READS = ['viewer', 'viewerKeys', 'viewerAll'] as const;

const ANSWERED = /^\{"data" ?: ?\{/;

export const workloads: Workload[] = [
  {
    name: 'viewer',
    title: 'viewer',
    kind: 'graphql-read',
    users: REGULARS,
    requests: (user, words) => [graphqlRequest('viewer', user, words)],
    expect: ANSWERED,
  },
  {
    name: 'viewer-keys',
    title: 'viewer with 10 keys',
    kind: 'graphql-read',
    users: REGULARS,
    requests: (user, words) => [graphqlRequest('viewerKeys', user, words)],
    expect: ANSWERED,
  },
  {
    name: 'viewer-all',
    title: 'viewer with keys, apps and links',
    kind: 'graphql-read',
    users: REGULARS,
    requests: (user, words) => [graphqlRequest('viewerAll', user, words)],
    expect: ANSWERED,
  },
  {
    name: 'apps',
    title: 'a page of 50 apps',
    kind: 'graphql-read',
    users: range(1, COLLECTORS),
    requests: (user, words) => [graphqlRequest('apps', user, words)],
    expect: ANSWERED,
  },
  {
    name: 'rest-apps',
    title: 'GET /user/settings/oauth/',
    kind: 'rest-read',
    users: REGULARS,
    requests: (user) => [{ method: 'GET', path: '/user/settings/oauth/', user }],
    expect: /"oauthModelList":\[\{/,
  },
  {
    name: 'rest-app',
    title: 'GET /user/settings/oauth/{id}',
    kind: 'rest-read',
    users: REGULARS,
    requests: (user) => [{ method: 'GET', path: `/user/settings/oauth/${appIdOf(user)}`, user }],
    expect: /"clientSecret":"gts_/,
  },
  {
    name: 'rest-links',
    title: 'GET /api/v2/external-auth',
    kind: 'rest-read',
    users: REGULARS,
    requests: (user) => [{ method: 'GET', path: '/api/v2/external-auth', user }],
    expect: /"provider_id": ?"gitlab"/,
  },
  {
    name: 'add-key',
    title: 'add a key',
    kind: 'write',
    users: REGULARS,
    requests: (user, words, unique) => [addKeyRequest(user, words, unique())],
    expect: /^\{"data":\{.*"AddSshKeyPayload"/s,
  },
  {
    name: 'create-app',
    title: 'create an app',
    kind: 'write',
    users: REGULARS,
    requests: (user, words, unique) => [createAppRequest(user, words, unique())],
    expect: /^\{"data":\{.*"CreateOAuthAppPayload"/s,
  },
  {
    name: 'mix',
    title: '90% reads, 10% writes',
    kind: 'mix',
    users: REGULARS,
    requests: (user, words, unique) => {
      const reads = range(0, 8).map((i) => graphqlRequest(READS[(user + i) % 3] ?? 'viewer', user, words));
      const write = (user % 2 === 0 ? addKeyRequest : createAppRequest)(user, words, unique());
      return [...reads, write];
    },
    expect: ANSWERED,
  },
];

/** Whether a server takes part: the REST dialects are Gatehouse's, and the limit's. */
export function takesPart(role: 'gatehouse' | 'peer' | 'limit', { kind }: Workload): boolean {
  return kind !== 'rest-read' || role !== 'peer';
}

/** Read where a list begins, and deep in it. Gatehouse's own cursors: only it is asked. */
export const pageWorkloads: Workload[] = [
  {
    name: 'first-page',
    title: 'a page of 50 keys',
    kind: 'graphql-read',
    users: [HOARDER],
    requests: (user) => [graphqlRequest('keysPage', user)],
    expect: ANSWERED,
  },
  {
    name: 'deep-page',
    title: `a page of 50 keys, ${(KEYS_OF_HOARDER / 2).toLocaleString('en')} deep`,
    kind: 'graphql-read',
    users: [HOARDER],
    requests: (user) => {
      const after = Buffer.from(`GPC:S:${keyIdOf(user, KEYS_OF_HOARDER / 2)}`).toString('base64');
      return [graphqlRequest('keysPage', user, 'gatehouse', { after })];
    },
    expect: ANSWERED,
  },
];

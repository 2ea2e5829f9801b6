import { parse } from 'graphql';
import { expect, it } from 'vitest';
import { allScopes, type Scope } from '../../src/auth/scopes.ts';
import type { Viewer } from '../../src/auth/viewer.ts';
import { findNeededScopes } from '../../src/graphql/needed-scopes.ts';

// That nothing is answered which a check would have refused, json-post.test.ts shows: it compares the answers for
// random queries and random scopes with those of the checked way.

const viewerWith = (scopes: Scope[]): Viewer => ({
  user: {
    id: '0198a1f2-7c4e-7b1a-9a55-3f2d8c6e1b70',
    username: 'ada',
    displayName: null,
    email: null,
    disabledAt: null,
    createdAt: new Date(0),
    updatedAt: new Date(0),
  },
  tokenId: '0198a1f2-7c4e-7b1a-9a55-3f2d8c6e1b71',
  scopes: new Set(scopes),
});

it.each<[query: string, needed: Scope[]]>([
  ['{ __typename }', []],
  ['{ viewer { id uuid } }', []],
  ['{ viewer { username } }', ['user:read']],
  ['{ viewer { sshKeys { totalCount } } }', ['ssh_keys:read']],
  ['{ viewer { ...F } } fragment F on User { oauthApps { edges { node { name } } } }', ['oauth_apps:read']],
  ['{ viewer { username sshKeys { edges { node { title } } } } }', ['user:read', 'ssh_keys:read']],
  ['{ node(id: "x") { ... on SshKey { title } } }', ['ssh_keys:read']],
  // It could be a node of any type.
  ['{ node(id: "x") { id } }', ['ssh_keys:read', 'oauth_apps:read', 'external_auth:read', 'tokens:write']],
])('%s needs exactly %j', (query, needed) => {
  const passes = findNeededScopes(parse(query));
  expect(passes(null)).toBe(false);
  expect(passes(viewerWith(['admin']))).toBe(true);
  expect(passes(viewerWith(needed))).toBe(true);
  for (const lacking of needed) {
    const others = allScopes.filter(
      (scope) => scope !== lacking && scope !== 'admin' && scope !== lacking.replace('read', 'write'),
    );
    expect(passes(viewerWith(others)), `without ${lacking}`).toBe(false);
  }
});

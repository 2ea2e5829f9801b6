import { randomUUID } from 'node:crypto';
import { createApiToken, systemActor } from '../../src/accounts/accounts.service.ts';
import { saveLink } from '../../src/external-auth/link-store.ts';
import { parseProviders } from '../../src/external-auth/provider-settings.ts';
import { createProvider } from '../../src/external-auth/providers/create-provider.ts';
import { isPaged } from '../../src/graphql/paging.ts';
import { schema } from '../../src/graphql/schema.ts';
import { createOAuthApp, rotateOAuthAppSecret } from '../../src/oauth-apps/oauth-apps.service.ts';
import { addSshKey } from '../../src/ssh-keys/ssh-keys.service.ts';
import type { TestGateway, TestUser } from '../harness.ts';
import { newPublicKey } from '../new-public-key.ts';
import { everythingOf, nodeTypes, type SelectionOptions } from './walk.ts';

/** An object as an answer shows it. */
type Row = Record<string, unknown> & { __typename: string };

/** A user with rows of every kind, and all that the API shows of them. */
export interface World {
  user: TestUser;
  rows: (typename: string) => Row[];
}

/** Makes rows of one kind. A new type of nodes needs a maker. */
const MAKERS: Record<string, (gateway: TestGateway, user: TestUser, count: number) => Promise<void>> = {
  User: async () => {},
  async ApiToken({ runtime }, { id }, count) {
    // The user has one already: the one that the test's requests carry.
    for (let n = 1; n < count; n += 1) {
      await createApiToken(runtime, systemActor(id), null, { name: `token ${n}`, scopes: ['user:read'] });
    }
  },
  async ExternalAuthLink({ runtime }, { id }, count) {
    // An account has one link with each provider, so there are as many providers, and nobody shares one. None of
    // them is configured: their links tell what they do then, without a call.
    for (let n = 1; n <= count; n += 1) {
      const { providers } = parseProviders(
        {
          EXTERNAL_AUTH_0_ID: randomUUID().replaceAll('-', ''),
          EXTERNAL_AUTH_0_TYPE: 'github',
          EXTERNAL_AUTH_0_CLIENT_ID: 'x',
        },
        null,
      );
      for (const settings of providers) {
        const provider = createProvider(settings, runtime);
        const tokens = {
          accessToken: `access ${n}`,
          refreshToken: `refresh ${n}`,
          expiresAt: null,
          extra: {},
        };
        await saveLink(runtime, systemActor(id), provider, tokens);
      }
    }
  },
  async OAuthApp({ runtime }, { id }, count) {
    for (let n = 1; n <= count; n += 1) {
      const { oauthApp } = await createOAuthApp(runtime, systemActor(id), {
        name: `app ${n}`,
        homepageUrl: 'https://example.com',
        redirectUris: ['https://example.com/callback', 'com.example.app:/callback'],
        standalone: true,
      });
      await rotateOAuthAppSecret(runtime, systemActor(id), oauthApp.id);
    }
  },
  // Each app has two.
  OAuthAppSecret: async () => {},
  async SshKey({ runtime }, { id }, count) {
    for (let n = 1; n <= count; n += 1) {
      await addSshKey(runtime, systemActor(id), { publicKey: newPublicKey(), title: `key ${n}` });
    }
  },
};

/** A new user with that many rows of every kind that a user can own. */
export async function makeWorld(gateway: TestGateway, count: number): Promise<World> {
  const user = await gateway.user();
  for (const typename of nodeTypes()) {
    const make = MAKERS[typename];
    if (!make) throw new Error(`How are rows of ${typename} made? Add a maker to test/graphql/world.ts.`);
    await make(gateway, user, count);
  }
  const args: SelectionOptions['args'] = (_coordinate, given) =>
    isPaged({ args: given }) ? '(first: 100)' : '';
  const whole = `{ viewer ${everythingOf(viewerType(), { args })} }`;
  const { data, errors } = await gateway.graphql(whole, {}, user.token);
  if (errors) throw new Error(`The viewer cannot be read whole: ${JSON.stringify(errors)}`);
  const found = new Map<string, Row[]>();
  collect(data, found);
  return {
    user,
    rows(typename) {
      const rows = found.get(typename) ?? [];
      if (rows.length === 0) throw new Error(`The viewer's answer shows no ${typename}.`);
      return rows;
    },
  };
}

/** The type of `viewer`. */
export function viewerType() {
  const field = schema.getQueryType()?.getFields().viewer;
  if (!field) throw new Error('There is no viewer.');
  return field.type;
}

/** The first text of a row's field. */
export function textOf(world: World, typename: string, field: string): string {
  const [row] = world.rows(typename);
  const value = row?.[field];
  if (typeof value !== 'string') throw new Error(`${typename}.${field} is no text: ${JSON.stringify(value)}`);
  return value;
}

function collect(value: unknown, found: Map<string, Row[]>): void {
  if (value === null || typeof value !== 'object') return;
  for (const inner of Object.values(value)) collect(inner, found);
  if (!('__typename' in value)) return;
  const row = value as Row;
  found.set(row.__typename, [...(found.get(row.__typename) ?? []), row]);
}

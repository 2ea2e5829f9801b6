import { beforeAll, describe, expect, it } from 'vitest';
import { expectNothingStored } from '../database-dump.ts';
import { makeWorld, textOf, type World } from '../graphql/world.ts';
import { useGateway } from '../harness.ts';

// Every documented path that takes an id: another user's row behaves exactly as one that nobody has.

const gateway = useGateway();

interface Operation {
  method: string;
  path: string;
  body?: unknown;
}

/** What stands for a path parameter: as its owner has it, and as nobody has it. */
const PARAMETERS: Record<string, { of: (owner: World) => string; absent: string }> = {
  id: {
    of: (owner) => textOf(owner, 'OAuthApp', 'uuid'),
    absent: '0198a1f2-7c4e-7b1a-9a55-3f2d8c6e1b70',
  },
  externalauth: {
    of: (owner) => textOf(owner, 'ExternalAuthLink', 'providerId'),
    absent: 'nobody-has-linked-this',
  },
};

const app = {
  name: 'x',
  description: '',
  homepageUrl: 'https://x.example',
  authCallbackUrl: 'https://x.example',
  standalone: false,
};

let operations: Operation[];
let owner: World;
let stranger: { token: string };

beforeAll(async () => {
  const response = await gateway.fetch('/openapi.json');
  const { paths } = (await response.json()) as { paths: Record<string, Record<string, object>> };
  operations = Object.entries(paths)
    .filter(([path]) => path.includes('{'))
    .flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({
        path,
        method: method.toUpperCase(),
        body: method === 'put' ? app : undefined,
      })),
    );
  owner = await makeWorld(gateway, 1);
  stranger = await gateway.user();
});

describe('a path with an id', () => {
  async function ask({ method, path, body }: Operation, value: string): Promise<unknown> {
    const parameter = /\{(\w+)\}/.exec(path)?.[0] ?? '';
    const response = await gateway.fetch(path.replace(parameter, value), {
      method,
      token: stranger.token,
      ...(body !== undefined && {
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      }),
    });
    const text = await response.text();
    // The id that was asked for comes back, and the time.
    const answer = text.replaceAll(value, 'THE ID').replace(/"timestamp":"[^"]+"/, '');
    return { status: response.status, answer };
  }

  it('answers for another user as if there were no such row, and stores nothing', async () => {
    expect(operations.length).toBeGreaterThanOrEqual(7);
    for (const operation of operations) {
      const [, name = ''] = /\{(\w+)\}/.exec(operation.path) ?? [];
      const parameter = PARAMETERS[name];
      if (!parameter)
        throw new Error(`What does {${name}} of ${operation.path} stand for? Add it to PARAMETERS.`);
      await expectNothingStored(gateway, async () => {
        const foreign = await ask(operation, parameter.of(owner));
        const absent = await ask(operation, parameter.absent);
        expect(foreign, `${operation.method} ${operation.path}`).toEqual(absent);
      });
    }
  });
});

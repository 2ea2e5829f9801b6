import { beforeAll, expect, it } from 'vitest';
import { type TestUser, useGateway } from '../harness.ts';
import { readBlocks } from './blocks.ts';

// What a new user pastes first has to work.

const gateway = useGateway();
let user: TestUser;

beforeAll(async () => {
  user = await gateway.user();
});

it('the first query of the README adds its key', async () => {
  const [mutation = ''] = readBlocks('../README.md', 'graphql');
  const { errors, data } = await gateway.graphql(mutation, {}, user.token);
  expect(errors).toBeUndefined();
  expect(data.addSshKey.sshKey).toMatchObject({ state: 'ACTIVE' });
});

it('each curl line of the README is answered', async () => {
  const script = readBlocks('../README.md', 'sh').join('').replaceAll('\\\n', ' ');
  const lines = script.split('\n').filter((line) => line.startsWith('curl http://127.0.0.1:4000'));
  expect(lines.length).toBeGreaterThan(2);
  for (const line of lines) {
    const path = /127\.0\.0\.1:4000(\/\S*)/.exec(line)?.[1] ?? '';
    const body = /-d '([^']*)'/.exec(line)?.[1];
    const headers = [...line.matchAll(/-H ['"]([^:]+): ([^'"]*)['"]/g)].map(([, name = '', value = '']) => [
      name,
      value.replace('$TOKEN', user.token),
    ]);
    const method = body === undefined ? 'GET' : 'POST';
    const response = await gateway.fetch(path, { method, headers: headers as [string, string][], body });
    expect([path, response.status]).toEqual([path, 200]);
    expect(await response.json()).not.toHaveProperty('errors');
  }
});

import { getNamedType, isLeafType } from 'graphql';
import { describe, expect, it } from 'vitest';
import { isPaged } from '../../src/graphql/paging.ts';
import { useGateway } from '../harness.ts';
import { fieldsOf } from './walk.ts';
import { viewerType } from './world.ts';

const gateway = useGateway();
const fields = fieldsOf(getNamedType(viewerType()));

describe('a token for the profile alone', () => {
  // The total and the cursors are no rows: the scope of the rows' type did not guard them.
  it.each(fields.filter(isPaged).map(({ name }) => name))('reads nothing of the list %s', async (name) => {
    const { token } = await gateway.user(['user:read']);
    for (const selection of ['totalCount', 'edges { cursor }', 'pageInfo { endCursor }']) {
      const { data, errors } = await gateway.graphql(`{ viewer { ${name} { ${selection} } } }`, {}, token);
      expect(data, selection).toBeNull();
      expect(errors?.[0]).toMatchObject({
        message: expect.stringMatching(/^Your token lacks the scope \w+:(?:read|write)\.$/),
        extensions: { code: 'FORBIDDEN' },
      });
    }
  });
});

describe('a token without the scope user:read', () => {
  const profile = fields.filter(
    ({ name, type }) => isLeafType(getNamedType(type)) && !['id', 'uuid'].includes(name),
  );

  it.each(profile.map(({ name }) => name))('does not read %s', async (name) => {
    const { token } = await gateway.user(['ssh_keys:write']);
    const { data, errors } = await gateway.graphql(`{ viewer { ${name} } }`, {}, token);
    expect(data?.viewer?.[name] ?? null).toBeNull();
    expect(errors?.[0]).toMatchObject({
      message: 'Your token lacks the scope user:read.',
      extensions: { code: 'FORBIDDEN' },
    });
  });

  it('reads what its own scope is for', async () => {
    const user = await gateway.user(['ssh_keys:read']);
    const { data, errors } = await gateway.graphql(
      '{ viewer { uuid sshKeys { totalCount } } }',
      {},
      user.token,
    );
    expect(errors).toBeUndefined();
    expect(data).toEqual({ viewer: { uuid: user.id, sshKeys: { totalCount: 0 } } });
  });
});

import { describe, expect, it } from 'vitest';
import { useGateway } from '../harness.ts';

const gateway = useGateway();

describe('viewer', () => {
  it('is the user whose token the request carries', async () => {
    const ada = await gateway.user();
    const { status, data } = await gateway.graphql(
      '{ viewer { uuid username apiTokens { totalCount edges { node { name scopes } } } } }',
      {},
      ada.token,
    );
    expect(status).toBe(200);
    expect(data.viewer).toEqual({
      uuid: ada.id,
      username: ada.username,
      apiTokens: { totalCount: 1, edges: [{ node: { name: 'test', scopes: ['ADMIN'] } }] },
    });
  });

  it('answers 401 without a token', async () => {
    const { status, data, errors } = await gateway.graphql('{ viewer { uuid } }');
    expect(status).toBe(401);
    expect(data).toBeNull();
    expect(errors?.[0].extensions.code).toBe('UNAUTHENTICATED');
  });
});

import { describe, expect, it } from 'vitest';
import { bootstrap } from '../../src/accounts/bootstrap.ts';
import { useGateway } from '../harness.ts';

const TOKEN = 'a-token-that-an-operator-chose-for-automation';
const gateway = useGateway({ env: { GATEHOUSE_BOOTSTRAP_TOKEN: TOKEN } });

async function empty(): Promise<void> {
  await gateway.runtime.db.user.deleteMany();
  await gateway.runtime.db.auditEvent.deleteMany();
}

describe('the first start', () => {
  it('makes the admin and the token once, however many replicas start at the same time', async () => {
    await empty();
    const made = await Promise.all(Array.from({ length: 6 }, () => bootstrap(gateway.runtime)));
    expect(made.filter((first) => first !== null)).toEqual([{ token: TOKEN, fromSettings: true }]);
    const users = await gateway.runtime.db.user.findMany({ include: { apiTokens: true } });
    expect(users).toHaveLength(1);
    expect(users[0]).toMatchObject({
      username: 'admin',
      apiTokens: [{ scopes: ['admin'], expiresAt: null }],
    });
    const audits = await gateway.runtime.db.auditEvent.findMany({ orderBy: { id: 'asc' } });
    expect(audits.map(({ action }) => action)).toEqual(['user.create', 'api_token.create']);
    const { data } = await gateway.graphql('{ viewer { username } }', {}, TOKEN);
    expect(data.viewer.username).toBe('admin');
  });

  it('makes a token of its own when none is set', async () => {
    await empty();
    const config = { ...gateway.runtime.config, bootstrapToken: null };
    const first = await bootstrap({ ...gateway.runtime, config });
    expect(first).toEqual({ token: expect.stringMatching(/^gth_/), fromSettings: false });
    expect((await gateway.graphql('{ viewer { username } }', {}, first?.token)).status).toBe(200);
  });

  it('is none when there are users, whatever their names', async () => {
    await empty();
    await gateway.user();
    expect(await bootstrap(gateway.runtime)).toBeNull();
    expect(await gateway.runtime.db.apiToken.count({ where: { user: { username: 'admin' } } })).toBe(0);
  });
});

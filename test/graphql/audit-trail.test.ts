import { beforeAll, describe, expect, it } from 'vitest';
import { expectNothingStored } from '../database-dump.ts';
import { useGateway } from '../harness.ts';
import { VALID_INPUTS } from './arguments.ts';
import { mutationFields } from './walk.ts';
import { makeWorld, type World } from './world.ts';

// Each mutation of the schema that changes a credential: one that is added is tested.

const gateway = useGateway();

/** Those that change no credential, or need a provider: test/external-auth has them. */
const ELSEWHERE = new Set([
  'exchangeExternalAuthDevice',
  'refreshExternalAuthLink',
  'startExternalAuth',
  'startExternalAuthDevice',
]);

const changes = mutationFields().filter(({ name }) => !ELSEWHERE.has(name));

function mutate({ name, args }: (typeof changes)[number], world: World) {
  const query = `mutation ($input: ${args[0]?.type}) { result: ${name}(input: $input) { __typename } }`;
  return gateway.graphql(query, { input: VALID_INPUTS[name]?.(world) }, world.user.token);
}

describe('a change of a credential', () => {
  it.each(changes)('writes one row into the audit trail: $name', async (mutation) => {
    const world = await makeWorld(gateway, 2);
    const { db } = gateway.runtime;
    const where = { userId: world.user.id };
    const before = await db.auditEvent.count({ where });
    const { data } = await mutate(mutation, world);
    expect(data.result.__typename).toMatch(/Payload$/);

    const { action, tokenId, requestId } = await db.auditEvent.findFirstOrThrow({
      where,
      orderBy: { id: 'desc' },
    });
    expect(await db.auditEvent.count({ where }), `after ${action}`).toBe(before + 1);
    expect([tokenId, requestId]).toEqual([expect.any(String), expect.any(String)]);
  });

  describe('without its row', () => {
    beforeAll(async () => {
      for (const { name } of changes) worlds.set(name, await makeWorld(gateway, 1));
      await gateway.runtime.db
        .$executeRaw`ALTER TABLE audit_events ADD CONSTRAINT is_full CHECK (false) NOT VALID`;
      return () => gateway.runtime.db.$executeRaw`ALTER TABLE audit_events DROP CONSTRAINT is_full`;
    });
    const worlds = new Map<string, World>();

    it.each(changes)('is not stored either: $name', async (mutation) => {
      const world = worlds.get(mutation.name) as World;
      const { data, errors } = await expectNothingStored(gateway, () => mutate(mutation, world));
      expect(data ?? null).toBeNull();
      expect(errors?.[0].extensions.code).toBe('INTERNAL_SERVER_ERROR');
      expect(JSON.stringify(errors)).not.toMatch(/audit|constraint|prisma/i);
    });
  });
});

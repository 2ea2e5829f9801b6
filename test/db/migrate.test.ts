import { describe, expect, it } from 'vitest';
import { applyMigrations, listMigrations, newerMigrations } from '../../src/db/migrate.ts';
import { OperatorError } from '../../src/errors.ts';
import { useGateway } from '../harness.ts';

const gateway = useGateway();

describe('migrations', () => {
  it('that are applied are not applied again', async () => {
    expect(await applyMigrations(gateway.database.connection)).toEqual([]);
    expect(await newerMigrations(gateway.database)).toEqual([]);
  });

  it('of a newer release are named, and do not keep this one from running beside it', async () => {
    const { db } = gateway.database;
    await db.$executeRaw`INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at)
      VALUES ('newer', 'x', '99990101000000_newer', now())`;
    expect(await applyMigrations(gateway.database.connection)).toEqual([]);
    expect(await newerMigrations(gateway.database)).toEqual(['99990101000000_newer']);
    await db.$executeRaw`DELETE FROM _prisma_migrations WHERE id = 'newer'`;
  });

  it('that were begun and not finished stop the start, with the reason and what to do', async () => {
    const { db, connection } = gateway.database;
    const name = listMigrations().at(-1)?.name;
    await db.$executeRaw`UPDATE _prisma_migrations SET finished_at = NULL, logs = 'column "x" does not exist'
      WHERE migration_name = ${name}`;
    const failure = await applyMigrations(connection).catch((error) => error);
    expect(failure).toBeInstanceOf(OperatorError);
    expect(failure.message).toContain(`${name} was begun on this database and not finished with: column "x"`);
    await db.$executeRaw`UPDATE _prisma_migrations SET finished_at = now(), logs = NULL WHERE migration_name = ${name}`;
    expect(await applyMigrations(connection)).toEqual([]);
  });

  it('that were edited after they were applied stop the start', async () => {
    const { db, connection } = gateway.database;
    const name = listMigrations()[0]?.name;
    const before = await db.$queryRaw<{ checksum: string }[]>`
      SELECT checksum FROM _prisma_migrations WHERE migration_name = ${name}`;
    await db.$executeRaw`UPDATE _prisma_migrations SET checksum = 'x' WHERE migration_name = ${name}`;
    await expect(applyMigrations(connection)).rejects.toThrow(`The migration ${name} was edited after`);
    await db.$executeRaw`UPDATE _prisma_migrations SET checksum = ${before[0]?.checksum} WHERE migration_name = ${name}`;
  });
});

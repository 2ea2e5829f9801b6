import { expect, it } from 'vitest';
import { createStatementNames } from '../../src/db/client.ts';

it('a statement has one name, and no two share one', () => {
  const nameOf = createStatementNames();
  const texts = Array.from({ length: 50 }, (_, n) => `SELECT ${n} FROM users WHERE id = $1`);
  const names = texts.map((sql) => nameOf({ sql }));
  expect(new Set(names).size).toBe(50);
  expect(names).not.toContain('');
  expect(texts.map((sql) => nameOf({ sql }))).toEqual(names);
});

it.each([
  'SELECT id FROM users WHERE id IN ($1,$2)',
  'SELECT id FROM users WHERE (id IN ($1) AND name = $2)',
  'INSERT INTO users (id, name) VALUES ($1,$2), ($3,$4)',
])('a statement whose text grows with a list has none: %s', (sql) => {
  expect(createStatementNames()({ sql })).toBe('');
});

it('statements that follow from what clients select leave the names of others alone', () => {
  const nameOf = createStatementNames();
  const selected = Array.from({ length: 150 }, (_, n) => nameOf({ sql: `SELECT ${n} AS json_rows` }));
  expect(selected.filter((name) => name !== '')).toHaveLength(100);
  for (let n = 0; n < 300; n += 1) expect(nameOf({ sql: `SELECT ${n}` })).not.toBe('');
  expect(nameOf({ sql: 'SELECT 300' })).toBe('');
});

it('a database is not asked to keep more than 300', () => {
  const nameOf = createStatementNames();
  const first = nameOf({ sql: 'SELECT 0' });
  for (let n = 1; n < 300; n += 1) expect(nameOf({ sql: `SELECT ${n}` })).not.toBe('');
  expect(nameOf({ sql: 'SELECT 300' })).toBe('');
  expect(nameOf({ sql: 'SELECT 0' })).toBe(first);
});

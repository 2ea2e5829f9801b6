import { readFileSync } from 'node:fs';
import { parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import { schema } from '../../src/graphql/schema.ts';
import { readBlocks } from './blocks.ts';

describe('docs/graphql.md', () => {
  const blocks = readBlocks('graphql.md', 'graphql');

  it('has queries', () => {
    expect(blocks.length).toBeGreaterThan(5);
  });

  it.each(blocks.map((block) => [block]))('has query %# that the schema takes', (block) => {
    expect(validate(schema, parse(block))).toEqual([]);
  });

  it('tells the defaults of the limits as they are', () => {
    const page = readFileSync(new URL('../../docs/graphql.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\|[^|]+\| `([A-Z_]+)` +\| (\d+) +\|/gm)];
    const { limits } = parseConfig({});
    expect(Object.fromEntries(rows.map(([, setting, value]) => [setting, Number(value)]))).toEqual({
      MAX_BODY_BYTES: limits.bodyBytes,
      MAX_QUERY_DEPTH: limits.queryDepth,
      MAX_QUERY_COST: limits.queryCost,
      MAX_QUERY_ALIASES: limits.queryAliases,
      MAX_QUERY_TOKENS: limits.queryTokens,
      MAX_PAGE_SIZE: limits.pageSize,
      EXECUTION_TIMEOUT_MS: limits.executionMs,
    });
  });
});

import fc from 'fast-check';
import { parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import { createDocumentCache } from '../../src/graphql/document-cache.ts';

const document = parse('{ __typename }');
const text = (name: string, length: number) => name.padEnd(length, '#');

describe('the cache of parsed documents', () => {
  it('gives back what it keeps', () => {
    const cache = createDocumentCache(1_600);
    expect(cache.get('{ a }')).toBeUndefined();
    cache.set('{ a }', document);
    expect(cache.get('{ a }')).toBe(document);
  });

  it('keeps no document that is large on its own', () => {
    const cache = createDocumentCache(1_600);
    cache.set(text('large', 101), document);
    cache.set(text('small', 100), document);
    expect(cache.get(text('large', 101))).toBeUndefined();
    expect(cache.get(text('small', 100))).toBe(document);
  });

  it('gives up what was not used for longest', () => {
    const cache = createDocumentCache(1_600);
    for (let n = 0; n < 16; n += 1) cache.set(text(`${n}`, 100), document);
    cache.get(text('0', 100));
    cache.set(text('16', 100), document);
    expect(cache.get(text('0', 100))).toBe(document);
    expect(cache.get(text('1', 100))).toBeUndefined();
    expect(cache.get(text('2', 100))).toBe(document);
  });

  it('never keeps more characters than it may, whatever it is given', () => {
    const entry = fc.record({
      name: fc.nat({ max: 30 }),
      length: fc.integer({ min: 2, max: 120 }),
      read: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 200 }), (entries) => {
        const cache = createDocumentCache(1_600);
        const seen = new Set<string>();
        for (const { name, length, read } of entries) {
          const key = text(`${name}`, length);
          seen.add(key);
          if (read) cache.get(key);
          else cache.set(key, document);
        }
        const kept = [...seen].filter((key) => cache.get(key));
        expect(kept.reduce((sum, key) => sum + key.length, 0)).toBeLessThanOrEqual(1_600);
      }),
    );
  });
});

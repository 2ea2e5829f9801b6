import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cutBytes } from '../../src/external-auth/refresh.ts';

it('cuts between two characters, as late as possible', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), fc.nat({ max: 120 }), (text, max) => {
      const cut = cutBytes(text, max);
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(max);
      expect(text.startsWith(cut)).toBe(true);
      expect(cut.isWellFormed()).toBe(true);
      // One more character would not have fitted.
      const next = text.slice(cut.length, cut.length + 2).toWellFormed();
      const [character] = next;
      if (character) expect(Buffer.byteLength(cut) + Buffer.byteLength(character)).toBeGreaterThan(max);
    }),
  );
});

import { readFileSync } from 'node:fs';

/** The fenced blocks of one language on a page, whose path is relative to `docs/`. */
export function readBlocks(page: string, language: string): string[] {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  const blocks = text.matchAll(new RegExp(`^ *\`\`\`${language}\\n(.*?)^ *\`\`\`$`, 'gms'));
  return [...blocks].map(([, block = '']) => block);
}

import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

// Secrets that are easy to find again, wherever they have gone.

/** No text has this by chance, also not the one of a run before. */
const STEM = `kanarienvogel${randomBytes(4).toString('hex')}`;

/** A secret of its own. All of them are found by what they have in common. */
export function canary(what: string): string {
  return `${STEM}-${what}-${randomBytes(6).toString('hex')}`;
}

/** Which secret was found, where, and in what form. */
export interface Finding {
  secret: string;
  form: string;
  place: string;
}

/**
 * @param observed secrets by name that the gateway made itself, and that hence have no stem
 * @returns a scan of text or bytes for all secrets, in plain text, hexadecimal and base64
 */
export function createScan(observed: Record<string, string> = {}) {
  const patterns = Object.entries({ 'a canary': STEM, ...observed }).flatMap(([secret, text]) => {
    // A pattern of a few bytes would be found by chance.
    if (text.length < 16) throw new Error(`${secret} is too short to be looked for.`);
    return formsOf(text).map(([form, pattern]) => ({ secret, form, pattern }));
  });
  return (place: string, content: string | Buffer): Finding[] => {
    const bytes = Buffer.from(content);
    return patterns
      .filter(({ pattern }) => bytes.includes(pattern))
      .map(({ secret, form }) => ({ secret, form, place }));
  };
}

function formsOf(text: string): [form: string, pattern: Buffer][] {
  const hex = Buffer.from(text).toString('hex');
  const forms: [string, Buffer][] = [
    ['plain text', Buffer.from(text)],
    ['hexadecimal', Buffer.from(hex)],
    ['hexadecimal', Buffer.from(hex.toUpperCase())],
    ['UTF-16', Buffer.from(text, 'utf16le')],
  ];
  for (const shift of [0, 1, 2]) {
    // Within a longer text, base64 depends on where in a group of three bytes a secret begins. The characters at both
    // ends hold bits of its neighbours.
    const encoded = Buffer.from('\0'.repeat(shift) + text)
      .toString('base64')
      .replace(/=+$/, '');
    const inner = encoded.slice(shift === 0 ? 0 : shift + 1, -1);
    const url = inner.replaceAll('+', '-').replaceAll('/', '_');
    forms.push(['base64', Buffer.from(inner)], ['base64url', Buffer.from(url)]);
  }
  return forms;
}

/** Every file of a folder and its sub-folders. One that goes away meanwhile is passed over. */
export function* filesOf(folder: string): Generator<{ path: string; content: Buffer }> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesOf(path);
    if (!entry.isFile()) continue;
    try {
      if (statSync(path).size > 0) yield { path, content: readFileSync(path) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

import { isIPv4 } from 'node:net';
import { OperatorError } from '../errors.ts';

// What git and a credential helper say to each other: lines of `key=value` up to an empty line or the end, in UTF-8
// (git-credential(1), "INPUT/OUTPUT FORMAT"). A key that ends in `[]` has several values; an empty one clears those
// before it. Whoever can put a line break into a value can say what the other side did not mean: CVE-2020-5260
// (line feed) and CVE-2024-52006 (carriage return).

/** The attributes of one side's message. */
export interface Attributes {
  values: Map<string, string>;
  /** By the name without its `[]`. */
  lists: Map<string, string[]>;
}

/**
 * Keys that are not known are kept, since git adds new ones.
 *
 * @throws OperatorError when it is not the protocol, which never happens with git itself
 */
export function parseAttributes(text: string): Attributes {
  const values = new Map<string, string>();
  const lists = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    if (line === '') break;
    const [, key = '', value = ''] = /^([^=]+)=(.*)$/s.exec(line) ?? [];
    // The value may be a secret, and is not repeated.
    if (key === '' || /[\r\0]/.test(line))
      throw new OperatorError('What git sent is no list of key=value lines.');
    if (!key.endsWith('[]')) {
      values.set(key, value);
    } else {
      const name = key.slice(0, -2);
      lists.set(name, value === '' ? [] : [...(lists.get(name) ?? []), value]);
    }
  }
  return { values, lists };
}

/** @throws OperatorError when a value would end its line */
export function formatAttributes(values: Record<string, string>): string {
  return Object.entries(values)
    .map(([key, value]) => {
      if (/[\r\n\0]/.test(value))
        throw new OperatorError(`The ${key} has a line break, which git could not read.`);
      return `${key}=${value}\n`;
    })
    .join('');
}

/** A name, an IPv4 address, or an IPv6 address in brackets; and perhaps a port. */
const HOST = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;

/**
 * The address that git wants a credential for. Its path is there only with `credential.useHttpPath`.
 *
 * @returns null for what is none of HTTP's, or has no host to speak of
 */
export function requestedUrl({ values }: Attributes): URL | null {
  const [protocol = '', host = ''] = [values.get('protocol'), values.get('host')];
  const origin = `${protocol}://${host}`;
  // `good.example@evil.example` is another host than it seems.
  if (!/^https?$/.test(protocol) || !HOST.test(host) || !URL.canParse(origin)) return null;
  const url = new URL(origin);
  url.pathname = values.get('path') ?? '';
  return url;
}

/** Whether what is sent there can be read by nobody on the way. */
export function isPrivate({ protocol, hostname }: URL): boolean {
  return (
    protocol === 'https:' ||
    hostname === 'localhost' ||
    hostname === '[::1]' ||
    (isIPv4(hostname) && hostname.startsWith('127.'))
  );
}

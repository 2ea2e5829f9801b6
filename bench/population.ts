import { sha256 } from '../src/secrets/hash.ts';

/**
 * Who is in the database of a benchmark. In both sizes the same number of users send requests, so that the size of
 * the tables is all that differs.
 */
export interface Population {
  users: number;
}

export const SMALL: Population = { users: 1_000 };

/** Users that send requests. Each has one token, 10 keys, 5 apps with a secret each, and 2 links. */
export const ACTIVE_USERS = 1_000;
export const KEYS_EACH = 10;
export const APPS_EACH = 5;
export const LINKED_PROVIDERS = ['github', 'gitlab'];

/** The first active users have 60 apps: the page of 50 is theirs. */
export const COLLECTORS = 64;
export const APPS_OF_COLLECTORS = 60;

/** This one has so many keys that a page may lie deep in the list. */
export const HOARDER = COLLECTORS + 1;
export const KEYS_OF_HOARDER = 10_000;

/** Whose token has expired, and whose account is disabled: every server has to refuse both. */
export const EXPIRED = HOARDER + 1;
export const DISABLED = HOARDER + 2;

/** The users that most requests are made as. */
export const REGULARS = range(101, ACTIVE_USERS);

/** Keys of each of the other users, in the large set: 5 keys a user, as 5,000,000 keys to 1,000,000 users. */
export const KEYS_OF_OTHERS = 5;

/** The token of an active user, 1 to 1,000. No secret: it opens a database that holds nothing but made-up rows. */
export function tokenOf(user: number): string {
  return `bench-token-${String(user).padStart(28, '0')}`;
}

export function tokenHashOf(user: number): Uint8Array {
  return sha256(tokenOf(user));
}

/** When the first row was made. Every seeded id is a UUID of version 7 from the weeks that follow. */
export const EPOCH = new Date('2025-01-01T00:00:00Z');

/** Ids from here on were made by a benchmark, and go when it ends. */
export const FIRST_WRITTEN_ID = firstIdAt(new Date('2025-12-01T00:00:00Z'));

export const ENCRYPTION_KEY = Buffer.alloc(32, 11).toString('base64');

/** The kinds of rows, as a part of their ids. */
export const KIND = { user: 1, token: 2, key: 3, app: 4, secret: 5, link: 6 } as const;

/** Numbers of active users' rows begin here: beyond those of all others. */
export const ACTIVE_FROM = 10_000_000;

/** The first app of an active user. */
export function appIdOf(user: number): string {
  const serial = ACTIVE_FROM + ACTIVE_USERS + user;
  return rowId(KIND.app, serial, serial);
}

/** A key of an active user, by its number from the oldest. */
export function keyIdOf(user: number, number: number): string {
  const serial = ACTIVE_FROM + number * ACTIVE_USERS + user;
  return rowId(KIND.key, serial, serial);
}

/** The id of a seeded row; the SQL function of the same name in seed.ts makes the same. */
export function rowId(kind: number, moment: number, n: number): string {
  const time = (EPOCH.getTime() + moment).toString(16).padStart(12, '0');
  const tail = n.toString(16).padStart(15, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${kind.toString(16).padStart(3, '0')}-8${tail.slice(0, 3)}-${tail.slice(3)}`;
}

function firstIdAt(date: Date): string {
  const time = date.getTime().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`;
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

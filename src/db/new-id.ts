import { randomUUID } from 'node:crypto';

/**
 * A UUID of version 7 (RFC 9562 section 5.7), for a row whose id has to be known before it is written: the keyring
 * binds a secret to it. Prisma makes all others.
 */
export function newId(now: number = Date.now()): string {
  const time = now.toString(16).padStart(12, '0');
  // What is random comes from a UUID of version 4: Node makes those of random bytes that it draws for many at once.
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

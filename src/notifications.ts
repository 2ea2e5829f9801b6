import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { Logger } from 'pino';
import type { OpenDatabase } from './db/open.ts';

/** What has just changed, for whoever waits for it in this process or another. Never carries a secret. */
export type Notification = LinkChanged | TokensChanged;

/** A linked account's state. */
export interface LinkChanged {
  kind: 'external_auth_link';
  userId: string;
  providerId: string;
  change: 'LINKED' | 'REFRESHED' | 'BROKEN' | 'UNLINKED';
}

/** What a user's tokens may do: one was revoked, or the user was disabled. */
interface TokensChanged {
  kind: 'api_tokens';
  userId: string;
}

/** `missed` says that notifications of other processes may have been lost: look again at what you keep. */
type Listener = (heard: Notification | 'missed') => void;

/**
 * News between the processes on one database. A notification is a hint, sent after the commit and at most once:
 * whatever has to be right is read from the database.
 */
export interface Notifications {
  /** Never throws, and holds nobody up. */
  publish: (notification: Notification) => void;
  /** @returns how to stop hearing */
  subscribe: (listener: Listener) => () => void;
  /** Whether news of every other process on the database reaches this one right now. */
  hearsOthers: () => boolean;
  close: () => Promise<void>;
}

const CHANNEL = 'gatehouse';
const RECONNECT_MS = 1_000;

/**
 * On a server, PostgreSQL's LISTEN and NOTIFY on a connection of its own, which is made for the first subscriber.
 * An embedded database has one process, which needs no messenger.
 */
export function openNotifications({ kind, connection, db }: OpenDatabase, log: Logger): Notifications {
  const sender = randomUUID();
  const listeners = new EventEmitter<{ heard: [Notification | 'missed'] }>().setMaxListeners(0);
  const stop = new AbortController();
  let listening: Promise<void> | null = null;
  let sending: Promise<unknown> = Promise.resolve();
  let hears = false;

  async function listen(): Promise<void> {
    for (let first = true; !stop.signal.aborted; first = false) {
      const client = new Client(connection);
      try {
        const ended = new Promise<void>((resolve) => {
          client.once('end', resolve);
          // Without a listener an 'error' would end the process; 'end' follows it.
          client.once('error', () => resolve());
          stop.signal.addEventListener('abort', () => resolve(), { once: true });
        });
        client.on('notification', ({ payload }) => {
          const { from, ...notification } = JSON.parse(payload ?? '{}');
          if (from !== sender) listeners.emit('heard', notification);
        });
        await client.connect();
        await client.query(`LISTEN ${CHANNEL}`);
        if (!first) listeners.emit('heard', 'missed');
        hears = true;
        await ended;
      } catch (error) {
        log.warn({ err: error }, 'cannot hear from other processes, trying again');
      }
      hears = false;
      await client.end().catch(() => {});
      await sleep(RECONNECT_MS, undefined, { signal: stop.signal }).catch(() => {});
    }
  }

  return {
    publish(notification) {
      listeners.emit('heard', notification);
      if (kind === 'embedded') return;
      const payload = JSON.stringify({ from: sender, ...notification });
      sending = sending
        .then(() => db.$executeRaw`SELECT pg_notify(${CHANNEL}, ${payload})`)
        .catch((error) => log.warn({ err: error }, 'cannot tell other processes'));
    },
    subscribe(listener) {
      if (kind === 'server') listening ??= listen();
      listeners.on('heard', listener);
      return () => listeners.off('heard', listener);
    },
    hearsOthers: () => hears,
    async close() {
      stop.abort();
      await Promise.all([listening, sending]);
    },
  };
}

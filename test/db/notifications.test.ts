import { once } from 'node:events';
import { expect, inject, it } from 'vitest';
import { type Notification, openNotifications } from '../../src/notifications.ts';
import { useGateway } from '../harness.ts';

const gateway = useGateway();
const anyNews: Notification = {
  kind: 'external_auth_link',
  userId: 'u',
  providerId: 'github',
  change: 'LINKED',
};
const isServer = inject('databaseTemplate').kind === 'server';

it('reach every listener of the process, once, until it stops hearing', async () => {
  const { notifications } = gateway.runtime;
  const heard: unknown[][] = [[], []];
  const [stopFirst] = heard.map((list) => notifications.subscribe((one) => list.push(one)));
  notifications.publish(anyNews);
  stopFirst?.();
  notifications.publish(anyNews);
  expect(heard).toEqual([[anyNews], [anyNews, anyNews]]);
});

// An embedded database has one process.
if (isServer) {
  it('reach other processes, also after the connection was lost, which they are told', async () => {
    const other = openNotifications(gateway.database, gateway.runtime.log);
    try {
      const heard = new EventTarget();
      const next = () => once(heard, 'heard').then(([event]) => (event as CustomEvent).detail);
      const listening = async () => {
        const count = await gateway.runtime.db.$queryRaw<unknown[]>`
        SELECT 1 FROM pg_stat_activity WHERE query = 'LISTEN gatehouse' AND datname = current_database()`;
        return count.length;
      };
      const stopOwn = gateway.runtime.notifications.subscribe(() => {});
      const stop = other.subscribe((one) => {
        // What another test has sent may still be on its way.
        if (one !== 'missed' && one.userId !== 'other') return;
        heard.dispatchEvent(new CustomEvent('heard', { detail: one }));
      });
      const news = { ...anyNews, userId: 'other' };
      await expect.poll(listening, { timeout: 10_000 }).toBe(2);

      const first = next();
      gateway.runtime.notifications.publish(news);
      expect(await first).toEqual(news);

      const missed = next();
      await gateway.runtime.db.$queryRaw`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE query = 'LISTEN gatehouse' AND datname = current_database()`;
      expect(await missed).toBe('missed');

      const second = next();
      gateway.runtime.notifications.publish({ ...news, change: 'UNLINKED' });
      expect(await second).toEqual({ ...news, change: 'UNLINKED' });
      stop();
      stopOwn();
    } finally {
      await other.close();
    }
  });
}

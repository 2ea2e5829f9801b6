import { serverAudits } from 'graphql-http';
import { expect, it } from 'vitest';
import { useGateway } from '../harness.ts';

const gateway = useGateway();

// GraphQL over HTTP, as https://github.com/graphql/graphql-http audits it.
const audits = serverAudits({
  url: 'http://gatehouse.test/graphql',
  fetchFn: (url: string, init?: RequestInit) => gateway.fetch(url, init),
});

it('knows of 61 audits', () => {
  expect(audits).toHaveLength(61);
});

it.each(audits.map((audit) => [audit.name, audit] as const))('%s', async (_name, audit) => {
  const result = await audit.fn();
  // The reason and what was answered show only in a failure's difference.
  expect(result.status === 'ok' ? 'ok' : result.reason).toBe('ok');
});

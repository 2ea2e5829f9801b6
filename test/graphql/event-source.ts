import { expect } from 'vitest';
import type { GraphQLAnswer, TestGateway } from '../harness.ts';

/** A client of server-sent events. */
export interface EventSource {
  response: Response;
  /** The next event; null when the stream has ended. */
  next: () => Promise<Omit<GraphQLAnswer, 'status'> | null>;
  /** Comments so far, which keep proxies from closing the connection. */
  heartbeats: () => number;
  close: () => Promise<void>;
}

/** Opens a subscription as a browser does. Returns once it hears. */
export async function openEvents(
  gateway: Pick<TestGateway, 'fetch'>,
  query: string,
  { token, variables }: { token?: string; variables?: Record<string, unknown> } = {},
): Promise<EventSource> {
  const response = await gateway.fetch('/graphql', {
    method: 'POST',
    token,
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({ query, variables }),
  });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) throw new Error('There is no stream.');
  let text = '';
  let comments = 0;

  async function nextBlock(): Promise<string | null> {
    for (;;) {
      const end = text.indexOf('\n\n');
      if (end >= 0) {
        const block = text.slice(0, end);
        text = text.slice(end + 2);
        if (!block.startsWith(':')) return block;
        comments += 1;
        continue;
      }
      const { done, value } = (await reader?.read()) ?? { done: true, value: '' };
      if (done) return null;
      text += value;
    }
  }

  return {
    response,
    heartbeats: () => comments,
    async next() {
      const block = await nextBlock();
      if (block === null || block.startsWith('event: complete')) return null;
      const [event, data] = block.split('\n');
      expect(event).toBe('event: next');
      return JSON.parse(data?.replace(/^data: /, '') ?? '');
    },
    close: () => reader.cancel(),
  };
}

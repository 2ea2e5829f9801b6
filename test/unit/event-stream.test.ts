import { expect, it } from 'vitest';
import { createEventStream } from '../../src/graphql/event-stream.ts';

/** A stream, and both ends of its source. */
function open() {
  let push: (event: number) => void = () => {};
  let stopped = 0;
  const stream = createEventStream<number>((given) => {
    push = given;
    return () => {
      stopped += 1;
    };
  });
  return { stream, push: (event: number) => push(event), stopped: () => stopped };
}

it('passes every event on in order, those from before the first read too', async () => {
  const { stream, push, stopped } = open();
  push(1);
  push(2);
  expect(await stream.next()).toEqual({ done: false, value: 1 });
  expect(await stream.next()).toEqual({ done: false, value: 2 });
  const waiting = stream.next();
  push(3);
  expect(await waiting).toEqual({ done: false, value: 3 });
  expect(stopped()).toBe(0);
});

it('ends when its reader returns, also one that waits, and stops listening once', async () => {
  const { stream, push, stopped } = open();
  const waiting = stream.next();
  await stream.return?.();
  await stream.return?.();
  expect(await waiting).toEqual({ done: true, value: undefined });
  push(1);
  expect(await stream.next()).toEqual({ done: true, value: undefined });
  expect(stopped()).toBe(1);
});

it('ends when its reader does not read, before that fills the memory', async () => {
  const { stream, push, stopped } = open();
  for (let n = 0; n < 100; n++) push(n);
  expect(stopped()).toBe(0);
  push(100);
  expect(stopped()).toBe(1);
  expect(await stream.next()).toEqual({ done: true, value: undefined });
});

import {
  createSourceEventStream,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
} from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import { isStillSignedIn } from '../auth/authenticate.ts';
import { DomainError, ServiceUnavailable } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { Context } from './context.ts';
import { findOperationFaults, withinTime } from './limits.ts';

class TooManySubscriptions extends DomainError {
  constructor() {
    super(
      'TOO_MANY_SUBSCRIPTIONS',
      429,
      `You have ${MAX_STREAMS} subscriptions open. Close one before you open another.`,
    );
  }
}

/** Of one user in this process. Browsers allow six to a host over HTTP/1.1. */
const MAX_STREAMS = 10;
/** How often it is asked whether whoever listens still may, when nothing happens. */
const CHECK_MS = 30_000;

/**
 * Lets subscriptions run, each over a stream that stays open: within the limits of any operation, a few for each
 * user, and no longer than the token that it was opened with works. Every event is executed with a context of its
 * own, for loaders keep what they have read.
 *
 * @param stopping ends all streams, which would hold a shutdown up
 */
export function withSubscriptions(runtime: Runtime, stopping: AbortSignal): Plugin<object, object, Context> {
  const { limits } = runtime.config;
  /** How to end each open stream, by user. */
  const open = new Map<string, Set<() => void>>();
  stopping.addEventListener('abort', () => {
    for (const stream of [...open.values()].flatMap((streams) => [...streams])) stream();
  });

  async function subscribe(args: ExecutionArgs): Promise<AsyncIterable<ExecutionResult> | ExecutionResult> {
    // Yoga puts the request beside our own context.
    const { viewer, request } = args.contextValue as Context & { request?: Request };
    if (stopping.aborted) return refusal(new ServiceUnavailable());
    const events = await createSourceEventStream(args);
    if (!isAsyncIterable(events)) return events;
    // Nothing that is open to strangers has a place here.
    if (!viewer) throw new Error('A subscription has to ask for a scope.');

    const source = events[Symbol.asyncIterator]();
    // Counted and taken in one go: of streams that are opened at once, none may slip by while another waits.
    const streams = open.get(viewer.user.id) ?? new Set();
    if (streams.size >= MAX_STREAMS) {
      await source.return?.();
      return refusal(new TooManySubscriptions());
    }
    let tellEnd = () => {};
    const ended = new Promise<null>((resolve) => {
      tellEnd = () => resolve(null);
    });
    const end = () => {
      clearInterval(timer);
      streams.delete(end);
      if (streams.size === 0) open.delete(viewer.user.id);
      tellEnd();
      void source.return?.();
    };
    const endUnlessSignedIn = async (): Promise<boolean> => {
      // Without a database nobody can tell: then the stream ends, and the client opens another.
      const maySee = await isStillSignedIn(runtime, viewer).catch(() => false);
      if (!maySee) end();
      return maySee;
    };
    const timer = setInterval(endUnlessSignedIn, CHECK_MS).unref();
    streams.add(end);
    open.set(viewer.user.id, streams);
    // A client may hang up before its stream is read for the first time: then nobody returns from it.
    request?.signal.addEventListener('abort', end, { once: true });

    return {
      [Symbol.asyncIterator]: () => ({
        async next() {
          const item = await Promise.race([source.next(), ended]);
          if (!item || item.done || !(await endUnlessSignedIn())) {
            end();
            return { done: true, value: undefined };
          }
          const contextValue = { ...(args.contextValue as Context) };
          const event = { ...args, rootValue: item.value, contextValue };
          return { done: false, value: await withinTime(limits.executionMs, async () => execute(event)) };
        },
        async return() {
          end();
          return { done: true, value: undefined };
        },
      }),
    };
  }

  return {
    onSubscribe({ args, setSubscribeFn, setResultAndStopExecution }) {
      setSubscribeFn(subscribe);
      const { document, operationName, variableValues } = args;
      const faults = findOperationFaults(document, operationName, variableValues ?? {}, limits);
      if (faults.length > 0) setResultAndStopExecution({ errors: faults });
    },
  };
}

function refusal(error: DomainError): ExecutionResult {
  return { errors: [new GraphQLError(error.message, { originalError: error })] };
}

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOutgoing } from '../../src/external-auth/providers/outgoing.ts';
import type { OutgoingLimits } from '../../src/external-auth/providers/outgoing-limits.ts';
import { ProviderFailure } from '../../src/external-auth/providers/provider.ts';
import * as stubs from '../upstream/stub.ts';

let stub: stubs.Stub;
let elsewhere: stubs.Stub;
beforeAll(async () => {
  stub = await stubs.startStub();
  elsewhere = await stubs.startStub();
});
afterAll(() => Promise.all([stub.close(), elsewhere.close()]));

function outgoing(limits: Partial<OutgoingLimits> = {}, clock = () => new Date()) {
  return createOutgoing({
    name: 'Acme',
    fetch,
    clock,
    isAllowed: (origin) => origin === stub.origin,
    limits,
  });
}

async function failureOf(promise: Promise<unknown>): Promise<ProviderFailure> {
  const failure = await promise.then(
    () => null,
    (error) => error,
  );
  expect(failure).toBeInstanceOf(ProviderFailure);
  return failure;
}

describe('a call to a provider', () => {
  it('brings the whole answer', async () => {
    stub.on('GET /fine', stubs.json({ a: 1 }, 418, { 'x-more': 'yes' }));
    const response = await outgoing()(`${stub.origin}/fine`);
    expect(response.status).toBe(418);
    expect(response.headers.get('x-more')).toBe('yes');
    expect(await response.json()).toEqual({ a: 1 });
    expect(stub.requests.at(-1)?.headers['user-agent']).toBe('gatehouse');
  });

  it.each<[string, stubs.Behaviour, string]>([
    ['hangs', stubs.hang(), 'Acme did not answer within 0.3 seconds. Try again later.'],
    [
      'comes too late',
      stubs.late(600, stubs.json({})),
      'Acme did not answer within 0.3 seconds. Try again later.',
    ],
    ['drips', stubs.drip(), 'Acme did not answer within 0.3 seconds. Try again later.'],
    ['is cut', stubs.cut(), 'Acme cannot be reached (the connection was cut). Try again later.'],
    [
      'is cut in the middle',
      stubs.cutBody(),
      'Acme cannot be reached (the connection was cut). Try again later.',
    ],
    ['floods', stubs.flood(), 'Acme sent an answer of more than 1048576 bytes, which was not read.'],
  ])('that %s fails in words', async (_, behaviour, message) => {
    stub.on('GET /bad', behaviour);
    const failure = await failureOf(
      outgoing({ timeoutMs: /within/.test(message) ? 300 : 10_000 })(`${stub.origin}/bad`),
    );
    expect(failure).toMatchObject({ message, transient: true, oauthError: null });
  });

  it.each([301, 302, 303, 307, 308])('follows no redirect (%i)', async (code) => {
    stub.on('POST /moved', stubs.redirect(`${elsewhere.origin}/catch`, code));
    elsewhere.on('POST /catch', stubs.json({}));
    elsewhere.on('GET /catch', stubs.json({}));
    const failure = await failureOf(outgoing()(`${stub.origin}/moved`, { method: 'POST', body: 'secret' }));
    expect(failure.message).toMatch(
      /^Acme answered with a redirect to 127\.0\.0\.1:\d+, which is never followed\./,
    );
    expect(elsewhere.requests).toEqual([]);
  });

  it('goes to configured origins only', async () => {
    const failure = await failureOf(outgoing()(`${elsewhere.origin}/x`));
    expect(failure.message).toMatch('is not among the hosts of its configuration');
    expect(elsewhere.requests).toEqual([]);
  });

  it('says when nobody listens', async () => {
    const gone = await stubs.startStub();
    await gone.close();
    const send = createOutgoing({ name: 'Acme', fetch, clock: () => new Date(), isAllowed: () => true });
    expect((await failureOf(send(gone.origin))).message).toBe(
      'Acme cannot be reached (the connection was refused). Try again later.',
    );
  });

  it('waits for its place, and fails when the line is full', async () => {
    let open = 0;
    let most = 0;
    stub.on('GET /slow', (response, request) => {
      most = Math.max(most, ++open);
      stubs.late(20, (...args) => {
        open--;
        stubs.json({})(...args);
      })(response, request);
    });
    const send = outgoing({ concurrency: 3, queue: 5, timeoutMs: 5_000 });
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => send(`${stub.origin}/slow`)));
    expect(most).toBe(3);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(8);
    const refused = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason.message] : [],
    );
    expect(refused).toEqual(Array(2).fill('Too many calls to Acme are waiting already. Try again later.'));
  });

  it('gives its place back when it gives up waiting', async () => {
    stub.on('GET /stuck', stubs.hang());
    stub.on('GET /fine', stubs.json({}));
    const send = outgoing({ concurrency: 1, timeoutMs: 1_000 });
    const stuck = [send(`${stub.origin}/stuck`), send(`${stub.origin}/stuck`)];
    expect((await Promise.allSettled(stuck)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect((await send(`${stub.origin}/fine`)).status).toBe(200);
  });

  it('is not made for a while after many that hung', async () => {
    let now = 0;
    const send = outgoing({ timeoutMs: 1_000, timeoutsInARow: 2, restMs: 1_000 }, () => new Date(now));
    stub.on('GET /sick', stubs.hang());
    const before = stub.count('GET /sick');
    for (let round = 0; round < 4; round++) await failureOf(send(`${stub.origin}/sick`));
    expect(stub.count('GET /sick')).toBe(before + 2);

    now += 1_000;
    stub.on('GET /sick', stubs.json({}));
    const [probe, other] = await Promise.allSettled([
      send(`${stub.origin}/sick`),
      send(`${stub.origin}/sick`),
    ]);
    expect([probe.status, other.status]).toEqual(['fulfilled', 'rejected']);
    expect((await send(`${stub.origin}/sick`)).status).toBe(200);
  });
});

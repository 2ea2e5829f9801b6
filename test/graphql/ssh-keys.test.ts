import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { inState, stateOf } from '../../src/ssh-keys/key-state.ts';
import { dumpDatabase, expectNothingStored } from '../database-dump.ts';
import { type TestGateway, type TestUser, useGateway } from '../harness.ts';
import { newPublicKey } from '../new-public-key.ts';
import { globalId } from './arguments.ts';

const gateway = useGateway();
/** Another instance, whose operator asks more of keys. */
const strict = useGateway({ env: { SSH_KEY_RSA_MIN_BITS: '3072', SSH_KEY_MAX_LIFETIME_DAYS: '30' } });

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

const KEY =
  'id uuid title publicKey type bits comment fingerprint usage state expiresAt lastUsedAt createdAt updatedAt';

const ADD = `mutation ($input: AddSshKeyInput!) {
  addSshKey(input: $input) {
    __typename
    ... on AddSshKeyPayload { sshKey { ${KEY} } }
    ... on SshKeyAlreadyInUse { code message path }
    ... on InvalidInput { code message path issues { path message } }
  }
}`;

const UPDATE = `mutation ($input: UpdateSshKeyInput!) {
  updateSshKey(input: $input) {
    __typename
    ... on UpdateSshKeyPayload { sshKey { ${KEY} } }
    ... on NotFound { code message path }
    ... on InvalidInput { code message path issues { path message } }
  }
}`;

const DELETE = `mutation ($id: ID!) {
  deleteSshKey(input: {id: $id}) {
    __typename
    ... on DeleteSshKeyPayload { deletedSshKeyId }
    ... on NotFound { code message path }
  }
}`;

const LIST = `query ($first: Int, $after: String, $last: Int, $before: String, $state: SshKeyState) {
  viewer {
    sshKeys(first: $first, after: $after, last: $last, before: $before, state: $state) {
      totalCount
      edges { cursor node { title state } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}`;

const FIND = `query ($fingerprint: String!) { viewer { sshKey(fingerprint: $fingerprint) { ${KEY} } } }`;
const NODE = `query ($id: ID!) { node(id: $id) { ... on SshKey { ${KEY} } } }`;

type Fields = Record<string, unknown>;

const add = async (user: { token: string }, input: Fields, at: TestGateway = gateway) =>
  (await at.graphql(ADD, { input: { publicKey: newPublicKey(), title: 'laptop', ...input } }, user.token))
    .data.addSshKey;

const update = async (user: { token: string }, input: Fields, at: TestGateway = gateway) =>
  (await at.graphql(UPDATE, { input }, user.token)).data.updateSshKey;

const remove = async (user: { token: string }, id: string) =>
  (await gateway.graphql(DELETE, { id }, user.token)).data.deleteSshKey;

const list = async (user: { token: string }, variables: Fields = {}) =>
  (await gateway.graphql(LIST, variables, user.token)).data.viewer.sshKeys;

const find = async (user: { token: string }, fingerprint: string) =>
  (await gateway.graphql(FIND, { fingerprint }, user.token)).data.viewer.sshKey;

const titles = (page: { edges: { node: { title: string } }[] }) => page.edges.map(({ node }) => node.title);

const inFuture = (ms: number, at: TestGateway = gateway) =>
  new Date(at.runtime.clock().getTime() + ms).toISOString();

/** What the audit trail says of a user's keys. */
const audited = (userId: string) =>
  gateway.runtime.db.auditEvent.findMany({
    where: { userId, targetType: 'ssh_key' },
    orderBy: { id: 'asc' },
  });

/** A user with keys that are named n down to 1, in the order of the list. */
async function userWithKeys(count: number): Promise<TestUser> {
  const user = await gateway.user();
  for (let n = 1; n <= count; n += 1) await add(user, { title: `${n}` });
  return user;
}

const fixtures: {
  accepted: {
    name: string;
    line: string;
    type: string;
    bits: number;
    fingerprint: string;
    comment: string;
  }[];
  weak: Record<string, string>;
  refused: Record<string, string>;
} = JSON.parse(readFileSync('test/fixtures/ssh-public-keys.json', 'utf8'));

describe('addSshKey', () => {
  it('stores a key, and shows all of it', async () => {
    const ada = await gateway.user();
    const expiresAt = inFuture(30 * DAY);
    const publicKey = newPublicKey('ada@laptop');
    const added = await add(ada, {
      publicKey: `  ${publicKey}\n`,
      title: ' Рабочий ноутбук ',
      expiresAt,
      usage: 'SIGNING',
    });
    const { uuid } = added.sshKey;
    const key = {
      id: globalId('SshKey', uuid),
      uuid: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
      title: 'Рабочий ноутбук',
      publicKey,
      type: 'ssh-ed25519',
      bits: 256,
      comment: 'ada@laptop',
      fingerprint: expect.stringMatching(/^SHA256:[A-Za-z0-9+/]{43}$/),
      usage: 'SIGNING',
      state: 'ACTIVE',
      expiresAt,
      lastUsedAt: null,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      updatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    };
    expect(added).toEqual({ __typename: 'AddSshKeyPayload', sshKey: key });
    expect(await find(ada, added.sshKey.fingerprint)).toEqual(added.sshKey);
    const { data } = await gateway.graphql(NODE, { id: added.sshKey.id }, ada.token);
    expect(data.node).toEqual(added.sshKey);
    expect(titles(await list(ada))).toEqual(['Рабочий ноутбук']);
  });

  it('needs a key and a title only', async () => {
    const ada = await gateway.user();
    const { sshKey } = await add(ada, { publicKey: newPublicKey('') });
    expect(sshKey).toMatchObject({
      comment: '',
      usage: 'AUTH_AND_SIGNING',
      state: 'ACTIVE',
      expiresAt: null,
    });
    expect(sshKey.publicKey).toMatch(/^ssh-ed25519 [A-Za-z0-9+/]+=*$/);
  });

  it.each(fixtures.accepted)('takes a key of ssh-keygen: $name', async ({ name: _, line, ...expected }) => {
    const { sshKey } = await add(await gateway.user(), { publicKey: line });
    expect(sshKey).toMatchObject({ ...expected, publicKey: line.trim() });
  });

  it('writes who added it into the audit trail', async () => {
    const ada = await gateway.user();
    const [token] = await gateway.runtime.db.apiToken.findMany({ where: { userId: ada.id } });
    const response = await gateway.fetch('/graphql', {
      method: 'POST',
      token: ada.token,
      headers: { 'content-type': 'application/json', 'x-request-id': 'request-1234' },
      body: JSON.stringify({
        query: ADD,
        variables: { input: { publicKey: newPublicKey(), title: 'laptop' } },
      }),
    });
    const { data } = (await response.json()) as { data: { addSshKey: { sshKey: Record<string, string> } } };
    const { uuid, fingerprint } = data.addSshKey.sshKey;
    expect(await audited(ada.id)).toMatchObject([
      {
        action: 'ssh_key.add',
        tokenId: token?.id,
        requestId: 'request-1234',
        targetId: uuid,
        details: {
          title: 'laptop',
          type: 'ssh-ed25519',
          fingerprint,
          usage: 'AUTH_AND_SIGNING',
          expiresAt: null,
        },
      },
    ]);
  });

  it.each([
    ['an instant', '2999-01-31T12:30:45Z', '2999-01-31T12:30:45.000Z'],
    ['a fraction', '2999-01-31T12:30:45.123456Z', '2999-01-31T12:30:45.123Z'],
    ['an offset', '2999-01-31T12:30:45+03:00', '2999-01-31T09:30:45.000Z'],
    ['no zone', '2999-01-31T12:30:45', '2999-01-31T12:30:45.000Z'],
    ['a date alone', '2999-01-31', '2999-01-31T00:00:00.000Z'],
    ['the last moment that can be written', '9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
    ['null', null, null],
  ])('takes an expiry with %s', async (_what, expiresAt, stored) => {
    const ada = await gateway.user();
    const { sshKey } = await add(ada, { expiresAt });
    expect(sshKey.expiresAt).toBe(stored);
    expect(await find(ada, sshKey.fingerprint)).toMatchObject({ expiresAt: stored });
  });

  it.each([
    ['an instant', '2020-10-10T10:10:10Z'],
    ['an offset', '2020-10-10T10:10:10-11:00'],
    ['no zone', '2020-10-10T10:10:10'],
    ['a date alone', '2020-10-10'],
    ['the first year', '0000-01-01T00:00:00Z'],
  ])('refuses an expiry in the past, with %s', async (_what, expiresAt) => {
    const ada = await gateway.user();
    const refused = await expectNothingStored(gateway, () => add(ada, { expiresAt }));
    const fault = { path: ['input', 'expiresAt'], message: 'Expiry must be in the future.' };
    expect(refused).toEqual({
      __typename: 'InvalidInput',
      code: 'INVALID_INPUT',
      ...fault,
      issues: [fault],
    });
  });

  it('takes this very moment for the past', async () => {
    const ada = await gateway.user();
    expect((await add(ada, { expiresAt: inFuture(0) })).code).toBe('INVALID_INPUT');
    expect((await add(ada, { expiresAt: inFuture(MINUTE) })).sshKey.state).toBe('EXPIRING');
  });

  it.each<[what: string, change: Fields, field: string, message: RegExp]>([
    ['an empty title', { title: '' }, 'title', /^Title must not be empty\.$/],
    ['a title of white space', { title: ' \t\n' }, 'title', /^Title must not be empty\.$/],
    ['a title that is too long', { title: 'x'.repeat(256) }, 'title', /at most 255 characters\.$/],
    ['a title of two lines', { title: 'a\nb' }, 'title', /must not contain control characters\.$/],
    ['a title with a NUL', { title: 'a\0b' }, 'title', /must not contain control characters\.$/],
    [
      'a title with a lone surrogate',
      { title: 'a\udc00b' },
      'title',
      /must not contain control characters\.$/,
    ],
    ['an empty key', { publicKey: '' }, 'publicKey', /^The key must not be empty\./],
    ['prose', { publicKey: 'my key' }, 'publicKey', /^This is no public key of a known type\./],
    ['a key that is too long', { publicKey: 'A'.repeat(10_000) }, 'publicKey', /at most 8192 characters\.$/],
    [
      'two keys',
      { publicKey: `${newPublicKey()}\n${newPublicKey()}` },
      'publicKey',
      /^There are several lines\./,
    ],
    [
      'a comment with control characters',
      { publicKey: newPublicKey('a\u0007') },
      'publicKey',
      /must not contain control characters\.$/,
    ],
    ['a DSA key', { publicKey: fixtures.refused.dsa }, 'publicKey', /^DSA keys are not accepted/],
    [
      'a short RSA key',
      { publicKey: fixtures.weak['rsa 1024'] },
      'publicKey',
      /at least 2048 bits.+has 1024/,
    ],
    [
      "GitFlic's documented sample, which is damaged",
      {
        publicKey:
          'ssh-ed25519 AAAAC3NzaC1lZHRNRPTE5AAAAIDkxja/2VmTEsJDTtf3bI4XYDpb58fvKfSjy7/u8EZeI your_email@gitflic.ru',
      },
      'publicKey',
      /^The key is damaged: /,
    ],
  ])('refuses %s', async (_what, change, field, message) => {
    const ada = await gateway.user();
    const refused = await expectNothingStored(gateway, () => add(ada, change));
    expect(refused).toMatchObject({
      __typename: 'InvalidInput',
      code: 'INVALID_INPUT',
      path: ['input', field],
      issues: [{ path: ['input', field], message: expect.stringMatching(message) }],
    });
  });

  it('takes the longest title', async () => {
    const title = 'x'.repeat(255);
    expect((await add(await gateway.user(), { title })).sshKey.title).toBe(title);
  });

  it('names all faults at once', async () => {
    const { issues } = await add(await gateway.user(), { publicKey: '', title: '', expiresAt: '2020-01-01' });
    expect(issues.map(({ path }: { path: string[] }) => path.join('.'))).toEqual([
      'input.publicKey',
      'input.title',
      'input.expiresAt',
    ]);
  });

  it.each<[what: string, input: Fields | null]>([
    ['no title', { publicKey: newPublicKey() }],
    ['no key', { title: 'laptop' }],
    ['a title of null', { publicKey: newPublicKey(), title: null }],
    ['a key of null', { publicKey: null, title: 'laptop' }],
    ['a number for a title', { publicKey: newPublicKey(), title: 7 }],
    ['a list for a key', { publicKey: [newPublicKey()], title: 'laptop' }],
    ['a usage that does not exist', { publicKey: newPublicKey(), title: 'laptop', usage: 'DECRYPTION' }],
    ['an expiry in words', { publicKey: newPublicKey(), title: 'laptop', expiresAt: 'tomorrow' }],
    [
      'an expiry on a day that does not exist',
      { publicKey: newPublicKey(), title: 'laptop', expiresAt: '2999-02-29' },
    ],
    [
      "the slip of GitFlic's page as expiry",
      { publicKey: newPublicKey(), title: 'laptop', expiresAt: '2999-10-10T10-10-10Z' },
    ],
    ['an empty expiry', { publicKey: newPublicKey(), title: 'laptop', expiresAt: '' }],
    ['a field that does not exist', { publicKey: newPublicKey(), title: 'laptop', userId: 'x' }],
    ['no input', null],
  ])('does not run with %s', async (_what, input) => {
    const ada = await gateway.user();
    const { data, errors } = await expectNothingStored(gateway, () =>
      gateway.graphql(ADD, { input }, ada.token),
    );
    expect(data).toBeUndefined();
    expect(errors?.[0].extensions.code).toBe('BAD_USER_INPUT');
  });

  it('neither stores nor logs nor repeats a private key', async () => {
    const ada = await gateway.user();
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    const secret = privateKey.split('\n')[5] ?? '';
    expect(secret).toHaveLength(64);
    const before = gateway.logLines.length;
    const answer = await expectNothingStored(gateway, () =>
      gateway.graphql(ADD, { input: { publicKey: privateKey, title: 'laptop' } }, ada.token),
    );
    expect(answer.data.addSshKey.message).toMatch(/^This is a private key, or holds one\. It was not stored/);
    // As a literal, and where it does not belong.
    const literal = JSON.stringify(privateKey);
    const misplaced = await Promise.all([
      gateway.graphql(
        `mutation { addSshKey(input: {publicKey: ${literal}, title: "x"}) { __typename } }`,
        {},
        ada.token,
      ),
      gateway.graphql(ADD, { input: { publicKey: newPublicKey(), title: privateKey } }, ada.token),
      gateway.graphql(FIND, { fingerprint: privateKey }, ada.token),
    ]);
    expect(JSON.stringify([answer, ...misplaced])).not.toContain(secret);
    expect(gateway.logLines.slice(before).join('')).not.toContain(secret);
    expect(JSON.stringify(await dumpDatabase(gateway))).not.toContain(secret);
  });
});

describe('a key that is on an account already', () => {
  const IN_USE = 'This key is already in use. Make another one, for example with: ssh-keygen -t ed25519';
  const refusal = (message: string) => ({
    __typename: 'SshKeyAlreadyInUse',
    code: 'SSH_KEY_ALREADY_IN_USE',
    message,
    path: ['input', 'publicKey'],
  });

  it('is refused to its owner with its title, whatever the comment', async () => {
    const ada = await gateway.user();
    const publicKey = newPublicKey('one');
    await add(ada, { publicKey, title: 'laptop "old"' });
    const refused = await expectNothingStored(gateway, () =>
      add(ada, { publicKey: publicKey.replace(/one$/, 'two'), title: 'desk' }),
    );
    expect(refused).toEqual(refusal('This key is already on your account as "laptop "old"".'));
  });

  it('is refused to everybody else without a hint at whose it is', async () => {
    const [ada, bob] = [await gateway.user(), await gateway.user()];
    const publicKey = newPublicKey('ada@secret-host');
    const { sshKey } = await add(ada, { publicKey, title: "ada's laptop" });
    const request = { publicKey: publicKey.replace(/ .*@.*$/, ''), title: 'mine' };
    const answer = await expectNothingStored(gateway, () =>
      gateway.graphql(ADD, { input: { ...request, publicKey } }, bob.token),
    );
    expect(answer.data.addSshKey).toEqual(refusal(IN_USE));
    const shown = JSON.stringify(answer);
    for (const hint of [ada.username, ada.id, sshKey.uuid, sshKey.id, "ada's laptop", 'secret-host']) {
      expect(shown).not.toContain(hint);
    }
  });

  it('is free again when it was deleted', async () => {
    const [ada, bob] = [await gateway.user(), await gateway.user()];
    const publicKey = newPublicKey();
    const { sshKey } = await add(ada, { publicKey });
    await remove(ada, sshKey.id);
    expect((await add(bob, { publicKey })).__typename).toBe('AddSshKeyPayload');
  });

  it('stays taken when it has expired', async () => {
    const [ada, bob] = [await gateway.user(), await gateway.user()];
    const publicKey = newPublicKey();
    await add(ada, { publicKey, expiresAt: inFuture(MINUTE) });
    gateway.advance(2 * MINUTE);
    expect(await add(bob, { publicKey })).toEqual(refusal(IN_USE));
  });

  it.each([['one account'], ['several accounts']])(
    'is added once when requests race, of %s',
    async (whose) => {
      const one = await gateway.user();
      const users = await Promise.all(
        Array.from({ length: 8 }, () => (whose === 'one account' ? one : gateway.user())),
      );
      for (let round = 0; round < 3; round += 1) {
        const publicKey = newPublicKey();
        const answers = await Promise.all(users.map((user) => add(user, { publicKey, title: 'raced' })));
        const added = answers.filter(({ __typename }) => __typename === 'AddSshKeyPayload');
        expect(added).toHaveLength(1);
        const winner = users[answers.indexOf(added[0])];
        for (const [n, answer] of answers.entries()) {
          if (answer === added[0]) continue;
          const own = users[n] === winner;
          expect(answer).toEqual(refusal(own ? 'This key is already on your account as "raced".' : IN_USE));
        }
        const { uuid, fingerprint } = added[0].sshKey;
        const rows = await gateway.runtime.db.auditEvent.findMany({
          where: { details: { path: ['fingerprint'], equals: fingerprint } },
        });
        expect(rows).toMatchObject([{ action: 'ssh_key.add', targetId: uuid, userId: winner?.id }]);
      }
    },
  );
});

describe('updateSshKey', () => {
  it('renames, renews and changes the usage in place', async () => {
    const ada = await gateway.user();
    const { sshKey } = await add(ada, { title: 'old', expiresAt: inFuture(3 * DAY), usage: 'AUTH' });
    const expiresAt = inFuture(90 * DAY);
    const updated = await update(ada, { id: sshKey.id, title: ' new ', expiresAt, usage: 'SIGNING' });
    expect(updated).toEqual({
      __typename: 'UpdateSshKeyPayload',
      sshKey: {
        ...sshKey,
        title: 'new',
        expiresAt,
        usage: 'SIGNING',
        state: 'ACTIVE',
        updatedAt: expect.any(String),
      },
    });
    expect(new Date(updated.sshKey.updatedAt) >= new Date(sshKey.updatedAt)).toBe(true);
    expect(await find(ada, sshKey.fingerprint)).toEqual(updated.sshKey);
  });

  it.each<[what: string, change: Fields]>([
    ['the title', { title: 'new' }],
    ['the expiry', { expiresAt: '2999-01-01T00:00:00.000Z' }],
    ['the usage', { usage: 'SIGNING' }],
    ['the expiry to never', { expiresAt: null }],
  ])('changes %s alone', async (_what, change) => {
    const ada = await gateway.user();
    const { sshKey } = await add(ada, { title: 'old', expiresAt: inFuture(30 * DAY), usage: 'AUTH' });
    const updated = await update(ada, { id: sshKey.id, ...change });
    expect(updated.sshKey).toEqual({ ...sshKey, ...change, updatedAt: expect.any(String) });
  });

  it('brings an expired key back into force', async () => {
    const ada = await gateway.user();
    const { sshKey } = await add(ada, { expiresAt: inFuture(MINUTE) });
    gateway.advance(2 * MINUTE);
    expect((await find(ada, sshKey.fingerprint)).state).toBe('EXPIRED');
    // Renaming does not ask for an expiry in the future.
    expect((await update(ada, { id: sshKey.id, title: 'new' })).sshKey.state).toBe('EXPIRED');
    expect((await update(ada, { id: sshKey.id, expiresAt: inFuture(DAY) })).sshKey.state).toBe('EXPIRING');
  });

  it('writes what changed into the audit trail', async () => {
    const ada = await gateway.user();
    const { sshKey } = await add(ada, {});
    await update(ada, { id: sshKey.id, title: 'new' });
    await update(ada, { id: sshKey.id, expiresAt: '2999-01-01', usage: 'AUTH' });
    await update(ada, { id: sshKey.id, expiresAt: null });
    const { fingerprint, uuid: targetId } = sshKey;
    expect((await audited(ada.id)).slice(1)).toMatchObject(
      [
        { title: 'new', fingerprint },
        { expiresAt: '2999-01-01T00:00:00.000Z', usage: 'AUTH', fingerprint },
        { expiresAt: null, fingerprint },
      ].map((details) => ({ action: 'ssh_key.update', targetId, details })),
    );
  });

  it.each<[what: string, change: Fields, path: string[], message: string]>([
    ['an empty title', { title: ' ' }, ['input', 'title'], 'Title must not be empty.'],
    [
      'a title that is too long',
      { title: 'x'.repeat(256) },
      ['input', 'title'],
      'Title is too long: at most 255 characters.',
    ],
    [
      'a title with control characters',
      { title: 'a\u001bb' },
      ['input', 'title'],
      'Title must not contain control characters.',
    ],
    ['a title of null', { title: null }, ['input', 'title'], 'Title takes text.'],
    [
      'an expiry in the past',
      { expiresAt: '2020-01-01' },
      ['input', 'expiresAt'],
      'Expiry must be in the future.',
    ],
    [
      'a usage of null',
      { usage: null },
      ['input', 'usage'],
      'Usage takes AUTH, SIGNING or AUTH_AND_SIGNING.',
    ],
    ['nothing', {}, ['input'], 'Name what to change: the title, the expiry or the usage.'],
  ])('refuses %s', async (_what, change, path, message) => {
    const ada = await gateway.user();
    const { sshKey } = await add(ada, {});
    const refused = await expectNothingStored(gateway, () => update(ada, { id: sshKey.id, ...change }));
    expect(refused).toEqual({
      __typename: 'InvalidInput',
      code: 'INVALID_INPUT',
      message,
      path,
      issues: [{ path, message }],
    });
  });
});

describe('deleteSshKey', () => {
  it('deletes a key, and writes that into the audit trail', async () => {
    const ada = await gateway.user();
    const { sshKey } = await add(ada, { title: 'lost' });
    expect(await remove(ada, sshKey.id)).toEqual({
      __typename: 'DeleteSshKeyPayload',
      deletedSshKeyId: sshKey.id,
    });
    expect(await find(ada, sshKey.fingerprint)).toBeNull();
    expect((await list(ada)).totalCount).toBe(0);
    expect((await audited(ada.id)).at(-1)).toMatchObject({
      action: 'ssh_key.delete',
      targetId: sshKey.uuid,
      details: { title: 'lost', fingerprint: sshKey.fingerprint },
    });
  });

  it('succeeds once when asked several times at once', async () => {
    const ada = await gateway.user();
    const { sshKey } = await add(ada, {});
    const answers = await Promise.all(Array.from({ length: 5 }, () => remove(ada, sshKey.id)));
    expect(answers.map(({ __typename }) => __typename).sort()).toEqual([
      'DeleteSshKeyPayload',
      ...Array.from({ length: 4 }, () => 'NotFound'),
    ]);
    const deletions = (await audited(ada.id)).filter(({ action }) => action === 'ssh_key.delete');
    expect(deletions).toHaveLength(1);
  });
});

describe('a key that is not there', () => {
  const NOT_FOUND = {
    __typename: 'NotFound',
    code: 'NOT_FOUND',
    message: 'The SSH key was not found.',
    path: ['input', 'id'],
  };

  it.each([['foreign'], ['unknown'], ['deleted']])('because it is %s is not found', async (which) => {
    const [ada, bob] = [await gateway.user(), await gateway.user()];
    const { sshKey } = await add(ada, {});
    const { sshKey: gone } = await add(bob, {});
    await remove(bob, gone.id);
    const id = { foreign: sshKey.id, unknown: globalId('SshKey'), deleted: gone.id }[which];
    await expectNothingStored(gateway, async () => {
      expect(await update(bob, { id, title: 'mine now' })).toEqual(NOT_FOUND);
      expect(await remove(bob, id)).toEqual(NOT_FOUND);
    });
    expect((await gateway.graphql(NODE, { id }, bob.token)).data).toEqual({ node: null });
    const { fingerprint } = which === 'foreign' ? sshKey : gone;
    expect(await find(bob, fingerprint)).toBeNull();
    // Its owner still has what was not deleted.
    expect(await find(ada, sshKey.fingerprint)).toEqual(sshKey);
  });

  it.each([
    ['empty', ''],
    ['no global id', 'x'],
    ['a UUID', '0198a1f2-7c4e-7b1a-9a55-3f2d8c6e1b70'],
    ['of another type', globalId('User')],
    ['without a UUID', Buffer.from('SshKey:1').toString('base64')],
  ])('because its id is %s is refused', async (_what, id) => {
    const ada = await gateway.user();
    await expectNothingStored(gateway, async () => {
      for (const [query, variables] of [
        [UPDATE, { input: { id, title: 'x' } }],
        [DELETE, { id }],
      ] as const) {
        const { data, errors } = await gateway.graphql(query, variables, ada.token);
        expect(data ?? null).toBeNull();
        expect(errors?.[0].extensions.code).toBe('INVALID_INPUT');
      }
    });
  });
});

describe('sshKey(fingerprint)', () => {
  it.each([
    ['nothing', ''],
    ['MD5', 'MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48'],
    ['hexadecimal digits', 'a'.repeat(64)],
    ['no prefix', 'A'.repeat(43)],
    ['one character too few', `SHA256:${'A'.repeat(42)}`],
    ['padding', `SHA256:${'A'.repeat(43)}=`],
    ['bits to spare', `SHA256:${'A'.repeat(42)}B`],
    ['a line behind it', `SHA256:${'A'.repeat(43)}\n`],
    ['a NUL', `SHA256:${'A'.repeat(43)}\0`],
  ])('refuses a fingerprint of %s, and says what one looks like', async (_what, fingerprint) => {
    const ada = await gateway.user();
    const { data, errors } = await gateway.graphql(FIND, { fingerprint }, ada.token);
    expect(data).toEqual({ viewer: { sshKey: null } });
    const message =
      'Fingerprint takes "SHA256:" and 43 characters of base64, as ssh-keygen -l prints it. MD5 is not accepted.';
    expect(errors).toMatchObject([
      {
        message,
        path: ['viewer', 'sshKey'],
        extensions: { code: 'INVALID_INPUT', issues: [{ path: ['fingerprint'], message }] },
      },
    ]);
  });

  it('is null when nobody has such a key', async () => {
    expect(await find(await gateway.user(), `SHA256:${'A'.repeat(43)}`)).toBeNull();
  });
});

/** A statement with values in the place of its parameters, so that it can be planned. */
function withValues(sql: string): string {
  const nil = "'00000000-0000-0000-0000-000000000000'::uuid";
  return sql
    .replace(/("expires_at" [<>=]+) \$\d+/g, '$1 now()')
    .replace(/("(?:user_id|id)" [<>=]+) \$\d+/g, `$1 ${nil}`)
    .replace(/(LIMIT|OFFSET) \$\d+/g, '$1 3')
    .replace(/\$\d+::uuid\[\]/g, `ARRAY[${nil}]`)
    .replace(/\$\d+::int\[\]/g, 'ARRAY[3]')
    .replace(/\$\d+::timestamptz/g, 'now()')
    .replace(/\$\d+(?=\) AS json_rows)/g, "','");
}

describe('the list of keys', () => {
  it('is empty at first', async () => {
    expect(await list(await gateway.user())).toEqual({
      totalCount: 0,
      edges: [],
      pageInfo: { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null },
    });
  });

  it('begins with the newest, and holds 20 when no number is named', async () => {
    const page = await list(await userWithKeys(23));
    expect(page.totalCount).toBe(23);
    expect(titles(page)).toEqual(Array.from({ length: 20 }, (_, n) => `${23 - n}`));
    expect(page.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
  });

  it('is read forwards and backwards page by page, each key once, with the same total', async () => {
    const ada = await userWithKeys(7);
    const forwards: string[][] = [];
    let after: string | null = null;
    do {
      const page = await list(ada, { first: 3, after });
      expect(page.totalCount).toBe(7);
      forwards.push(titles(page));
      after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
    } while (after);
    expect(forwards).toEqual([['7', '6', '5'], ['4', '3', '2'], ['1']]);

    const backwards: string[][] = [];
    let before: string | null = null;
    do {
      const page = await list(ada, { last: 3, before });
      backwards.push(titles(page));
      before = page.pageInfo.hasPreviousPage ? page.pageInfo.startCursor : null;
    } while (before);
    expect(backwards).toEqual([['3', '2', '1'], ['6', '5', '4'], ['7']]);
  });

  it('is empty behind its end, and still tells its total', async () => {
    const ada = await userWithKeys(2);
    const whole = await list(ada, { first: 2 });
    expect(whole.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: false });
    const beyond = await list(ada, { first: 2, after: whole.pageInfo.endCursor });
    expect(beyond).toMatchObject({ totalCount: 2, edges: [], pageInfo: { hasNextPage: false } });
  });

  it('refuses a page of more than 200, and of none', async () => {
    const ada = await gateway.user();
    for (const first of [201, 0, -1]) {
      const { data, errors } = await gateway.graphql(LIST, { first }, ada.token);
      expect(data ?? null).toBeNull();
      expect(errors?.[0].extensions.code).toBe('INVALID_INPUT');
    }
  });

  it('is read from the index that has its order', async () => {
    const ada = await userWithKeys(3);
    const before = gateway.statements.length;
    for (const state of [null, 'ACTIVE', 'EXPIRING', 'EXPIRED']) await list(ada, { first: 2, state });
    // A query that comes again and again is compiled, and PostgreSQL writes its rows as JSON.
    for (let use = 0; use < 3; use += 1) await list(ada, { first: 2 });
    const pages = new Set(
      gateway.statements.slice(before).filter((sql) => /FROM ("public".)?"ssh_keys".+ LIMIT/s.test(sql)),
    );
    expect(pages.size).toBeGreaterThanOrEqual(4);
    expect([...pages].filter((sql) => sql.includes('json_rows'))).toHaveLength(1);
    for (const sql of pages) {
      const plan = await gateway.runtime.db.$transaction(async (tx) => {
        // Of a few rows any plan is quick. These are chosen only where the index does not do.
        for (const way of ['seqscan', 'bitmapscan', 'sort']) {
          await tx.$executeRawUnsafe(`SET LOCAL enable_${way} = off`);
        }
        return JSON.stringify(await tx.$queryRawUnsafe(`EXPLAIN ${withValues(sql)}`));
      });
      expect(plan).toContain('Index Scan using ssh_keys_user_id_id_idx');
      expect(plan).not.toContain('Sort Key');
    }
  });
});

describe('the state of a key', () => {
  it('is told by the clock, and the list is filtered and counted by it', async () => {
    const ada = await gateway.user();
    await add(ada, { title: 'for ever' });
    await add(ada, { title: 'for 20 days', expiresAt: inFuture(20 * DAY) });
    await add(ada, { title: 'for 8 days', expiresAt: inFuture(8 * DAY) });
    await add(ada, { title: 'for 6 days', expiresAt: inFuture(6 * DAY) });
    await add(ada, { title: 'for an hour', expiresAt: inFuture(60 * MINUTE) });

    const states = async () => {
      const byState: Record<string, string[]> = {};
      for (const state of ['ACTIVE', 'EXPIRING', 'EXPIRED']) {
        const page = await list(ada, { state });
        expect(page.totalCount).toBe(page.edges.length);
        for (const { node } of page.edges) expect(node.state).toBe(state);
        byState[state] = titles(page);
        // The total is that of the filtered list, also on a page that shows less.
        if (page.totalCount > 1) {
          expect(await list(ada, { state, first: 1 })).toMatchObject({
            totalCount: page.totalCount,
            edges: [{ node: { title: titles(page)[0] } }],
            pageInfo: { hasNextPage: true },
          });
        }
      }
      expect((await list(ada)).totalCount).toBe(5);
      return byState;
    };

    expect(await states()).toEqual({
      ACTIVE: ['for 8 days', 'for 20 days', 'for ever'],
      EXPIRING: ['for an hour', 'for 6 days'],
      EXPIRED: [],
    });
    gateway.advance(2 * DAY);
    expect(await states()).toEqual({
      ACTIVE: ['for 20 days', 'for ever'],
      EXPIRING: ['for 6 days', 'for 8 days'],
      EXPIRED: ['for an hour'],
    });
    gateway.advance(30 * DAY);
    expect(await states()).toEqual({
      ACTIVE: ['for ever'],
      EXPIRING: [],
      EXPIRED: ['for an hour', 'for 6 days', 'for 8 days', 'for 20 days'],
    });
  });

  it('is filtered on every page', async () => {
    const ada = await gateway.user();
    for (let n = 1; n <= 4; n += 1) {
      await add(ada, { title: `ever ${n}` });
      await add(ada, { title: `soon ${n}`, expiresAt: inFuture(DAY) });
    }
    const first = await list(ada, { state: 'EXPIRING', first: 3 });
    expect(titles(first)).toEqual(['soon 4', 'soon 3', 'soon 2']);
    const second = await list(ada, { state: 'EXPIRING', first: 3, after: first.pageInfo.endCursor });
    expect(titles(second)).toEqual(['soon 1']);
    expect(second).toMatchObject({ totalCount: 4, pageInfo: { hasNextPage: false } });
  });
});

// The state of a row and the filter of the list are two forms of one rule.
it('a state and its filter agree to the millisecond', async () => {
  const ada = await gateway.user();
  const now = gateway.runtime.clock();
  const { sshKey } = gateway.runtime.db;
  const expected: [offset: number | null, state: string][] = [
    [-1, 'EXPIRED'],
    [0, 'EXPIRED'],
    [1, 'EXPIRING'],
    [7 * DAY - 1, 'EXPIRING'],
    [7 * DAY, 'EXPIRING'],
    [7 * DAY + 1, 'ACTIVE'],
    [null, 'ACTIVE'],
  ];
  for (const [offset, state] of expected) {
    const { uuid } = (await add(ada, { title: `${offset}` })).sshKey;
    const expiresAt = offset === null ? null : new Date(now.getTime() + offset);
    await sshKey.update({ where: { id: uuid }, data: { expiresAt } });
    expect(stateOf(expiresAt, now), `${offset}`).toBe(state);
  }
  for (const state of ['ACTIVE', 'EXPIRING', 'EXPIRED'] as const) {
    const rows = await sshKey.findMany({
      where: { userId: ada.id, ...inState(state, now) },
      orderBy: { id: 'asc' },
    });
    expect(rows.map(({ title }) => title)).toEqual(
      expected.filter(([, of]) => of === state).map(([offset]) => `${offset}`),
    );
  }
});

describe("the operator's policy", () => {
  it('refuses RSA keys that are shorter than it asks', async () => {
    const ada = await strict.user();
    const rsa = (bits: number) => fixtures.accepted.find(({ name }) => name === `rsa ${bits}`)?.line;
    const expiresAt = inFuture(DAY, strict);
    const refused = await add(ada, { publicKey: rsa(2048), expiresAt }, strict);
    expect(refused.message).toMatch(/^RSA keys need at least 3072 bits, and this one has 2048\./);
    expect((await add(ada, { publicKey: rsa(4096), expiresAt }, strict)).sshKey.bits).toBe(4096);
  });

  it('refuses keys that live longer than it allows', async () => {
    const ada = await strict.user();
    const far = 'Expiry is too far away: it must be within 30 days from now.';
    const never = 'A key without expiry is not accepted here: it must be within 30 days from now.';
    const issues = async (expiresAt?: string | null) =>
      (await add(ada, { expiresAt }, strict)).issues?.map(({ message }: { message: string }) => message);
    expect(await issues(inFuture(31 * DAY, strict))).toEqual([far]);
    expect(await issues(null)).toEqual([never]);
    expect(await issues(undefined)).toEqual([never]);
    const { sshKey } = await add(ada, { expiresAt: inFuture(29 * DAY, strict) }, strict);
    const renewed = (expiresAt: string | null) => update(ada, { id: sshKey.id, expiresAt }, strict);
    expect((await renewed(inFuture(31 * DAY, strict))).message).toBe(far);
    expect((await renewed(null)).message).toBe(never);
    expect((await renewed(inFuture(DAY, strict))).sshKey.state).toBe('EXPIRING');
    expect((await update(ada, { id: sshKey.id, title: 'new' }, strict)).sshKey.title).toBe('new');
  });
});

describe('scopes', () => {
  const operations: [name: string, query: string, variables: (id: string) => Fields, reading: boolean][] = [
    ['sshKeys', LIST, () => ({}), true],
    ['sshKey', FIND, () => ({ fingerprint: `SHA256:${'A'.repeat(43)}` }), true],
    ['addSshKey', ADD, () => ({ input: { publicKey: newPublicKey(), title: 'x' } }), false],
    ['updateSshKey', UPDATE, (id) => ({ input: { id, title: 'x' } }), false],
    ['deleteSshKey', DELETE, (id) => ({ id }), false],
  ];

  it.each(operations)('%s is for tokens with a scope of keys', async (_name, query, variables, reading) => {
    const others = ['user:read', 'external_auth:write', 'oauth_apps:write', 'tokens:write'] as const;
    const granted = { 'ssh_keys:read': reading, 'ssh_keys:write': true, admin: true };
    for (const scope of [...others, 'ssh_keys:read', 'ssh_keys:write', 'admin'] as const) {
      const user = await gateway.user([scope]);
      const act = () => gateway.graphql(query, variables(globalId('SshKey')), user.token);
      if (scope in granted && granted[scope as keyof typeof granted]) {
        expect((await act()).errors, scope).toBeUndefined();
        continue;
      }
      const { errors } = await expectNothingStored(gateway, act);
      expect(errors?.[0], scope).toMatchObject({
        message: `Your token lacks the scope ssh_keys:${reading ? 'read' : 'write'}.`,
        extensions: { code: 'FORBIDDEN' },
      });
    }
  });

  it.each(operations)('%s is for nobody without a token', async (_name, query, variables) => {
    const { status, errors } = await expectNothingStored(gateway, () =>
      gateway.graphql(query, variables(globalId('SshKey'))),
    );
    expect(status).toBe(401);
    expect(errors?.[0].extensions.code).toBe('UNAUTHENTICATED');
  });

  it('guard a key that is read as a node', async () => {
    const ada = await gateway.user(['ssh_keys:write']);
    const { sshKey } = await add(ada, {});
    const { data } = await gateway.graphql(NODE, { id: sshKey.id }, ada.token);
    expect(data.node).toEqual(sshKey);
  });
});

describe('the audit trail', () => {
  // Without it nobody could say who changed a key; so a change that it cannot record does not happen.
  it('is written with the change, or neither is', async () => {
    const ada = await gateway.user();
    const { sshKey } = await add(ada, { title: 'before' });
    const { db } = gateway.runtime;
    await db.$executeRaw`
      CREATE FUNCTION refuse_audit() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.request_id = 'refuse-audit' THEN RAISE EXCEPTION 'the audit trail is full'; END IF;
        RETURN NEW;
      END $$`;
    await db.$executeRaw`
      CREATE TRIGGER refuse_audit BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION refuse_audit()`;
    for (const [query, variables] of [
      [ADD, { input: { publicKey: newPublicKey(), title: 'x' } }],
      [UPDATE, { input: { id: sshKey.id, title: 'after' } }],
      [DELETE, { id: sshKey.id }],
    ] as const) {
      const answer = await expectNothingStored(gateway, async () => {
        const response = await gateway.fetch('/graphql', {
          method: 'POST',
          token: ada.token,
          headers: { 'content-type': 'application/json', 'x-request-id': 'refuse-audit' },
          body: JSON.stringify({ query, variables }),
        });
        return response.text();
      });
      expect(answer).toContain('INTERNAL_SERVER_ERROR');
      expect(answer).not.toContain('the audit trail is full');
    }
  });
});

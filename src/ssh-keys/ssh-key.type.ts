import { builder } from '../graphql/builder.ts';
import { requireViewer } from '../graphql/context.ts';
import type { InSql } from '../graphql/sql-json.ts';
import { formatFingerprint } from './fingerprint.ts';
import { stateInSql, stateOf } from './key-state.ts';

export const SshKeyUsageEnum = builder.enumType('SshKeyUsage', {
  description: 'What a key may be used for.',
  values: {
    AUTH: { description: 'To log in with.' },
    SIGNING: { description: 'To sign commits and tags with.' },
    AUTH_AND_SIGNING: { description: 'Both: to log in, and to sign commits and tags.' },
  } as const,
});

export const SshKeyStateEnum = builder.enumType('SshKeyState', {
  description: 'Where a key stands in its life.',
  values: {
    ACTIVE: { description: 'In force for more than 7 days, or for ever.' },
    EXPIRING: { description: 'In force, but for 7 days at most: renew it with `updateSshKey`.' },
    EXPIRED: { description: 'Its end has come: it is in force no more until it is renewed.' },
  } as const,
});

export const SshKey = builder.prismaNode('SshKey', {
  description: 'A public SSH key of an account. A key is on one account only.',
  id: { field: 'id' },
  nullable: true,
  findUnique: (id, context) => ({ id, userId: requireViewer(context).user.id }),
  authScopes: { scope: 'ssh_keys:read' },
  fields: (t) => ({
    uuid: t.expose('id', {
      type: 'UUID',
      description: 'The id without its type, as the REST APIs show it.',
    }),
    title: t.exposeString('title', { description: 'What its owner calls it.' }),
    publicKey: t.string({
      description: 'In one line, as it stands in a .pub file: type, base64, and the comment if there is one.',
      extensions: {
        sql: (key) => `concat_ws(' ', ${key}.public_key, nullif(${key}.comment, ''))`,
      } satisfies InSql,
      resolve: ({ publicKey, comment }) => (comment === '' ? publicKey : `${publicKey} ${comment}`),
    }),
    type: t.exposeString('type', {
      description: 'The name of its algorithm, such as `ssh-ed25519` or `sk-ssh-ed25519@openssh.com`.',
    }),
    bits: t.exposeInt('bits', { description: 'Its length in bits, as `ssh-keygen -l` counts them.' }),
    comment: t.exposeString('comment', {
      description: 'What stands behind the key in its line, often `user@host`; empty when nothing does.',
    }),
    fingerprint: t.string({
      description: '`SHA256:` and the hash of the key in base64, exactly as `ssh-keygen -l` prints it.',
      extensions: {
        sql: (key) => `'SHA256:' || rtrim(encode(${key}.blob_hash, 'base64'), '=')`,
      } satisfies InSql,
      resolve: ({ blobHash }) => formatFingerprint(blobHash),
    }),
    usage: t.expose('usage', { type: SshKeyUsageEnum, description: 'What it may be used for.' }),
    state: t.field({
      type: SshKeyStateEnum,
      description: 'Whether it is in force right now, and for how long still.',
      extensions: { sql: stateInSql } satisfies InSql,
      resolve: ({ expiresAt }, _args, { runtime }) => stateOf(expiresAt, runtime.clock()),
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'From when on it is in force no more; null when it never expires.',
    }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When somebody last logged in with it; null when never.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was added.' }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      description: 'When it was last renamed, renewed or given another use.',
    }),
  }),
});

import { createOwnedRows } from '../db/owned-rows.ts';
import type { SshKey as SshKeyRow } from '../generated/prisma/client.ts';
import { builder } from '../graphql/builder.ts';
import { connectionInJson } from '../graphql/json-pages.ts';
import { newestFirst, pageOf } from '../graphql/paging.ts';
import { inState } from './key-state.ts';
import { SshKey, SshKeyStateEnum } from './ssh-key.type.ts';
import { blobHashOf } from './ssh-keys.service.ts';

const ownSshKeys = createOwnedRows<SshKeyRow>({ model: 'SshKey' });

builder.prismaObjectFields('User', (t) => ({
  sshKeys: t.prismaConnection(
    {
      type: SshKey,
      cursor: 'id',
      description: 'The SSH keys, newest first.',
      // The scope of the type would leave cursors and the total open to all.
      authScopes: { scope: 'ssh_keys:read' },
      args: {
        state: t.arg({
          type: SshKeyStateEnum,
          description: 'Only keys in this state; they alone are counted. All keys when absent.',
        }),
      },
      extensions: { ...connectionInJson(ownSshKeys) },
      resolve: (query, { id: userId }, args, { runtime }) => {
        const page = pageOf(args, userId);
        return page
          ? ownSshKeys(runtime).page(page)
          : runtime.db.sshKey.findMany(
              newestFirst(query, { userId, ...inState(args.state, runtime.clock()) }),
            );
      },
      totalCount: ({ id: userId }, { state }, { runtime }) =>
        state
          ? runtime.db.sshKey.count({ where: { userId, ...inState(state, runtime.clock()) } })
          : ownSshKeys(runtime).total(userId),
    },
    { description: 'A page of SSH keys.' },
    { description: 'An SSH key and its place in the list.' },
  ),
  sshKey: t.prismaField({
    type: SshKey,
    nullable: true,
    description: 'The SSH key with a fingerprint. Null when the account has none such.',
    authScopes: { scope: 'ssh_keys:read' },
    args: {
      fingerprint: t.arg.string({
        required: true,
        description: '`SHA256:` and 43 characters of base64, as `ssh-keygen -l` prints it.',
      }),
    },
    resolve: (query, { id: userId }, { fingerprint }, { runtime }) =>
      runtime.db.sshKey.findUnique({ ...query, where: { blobHash: blobHashOf(fingerprint), userId } }),
  }),
}));

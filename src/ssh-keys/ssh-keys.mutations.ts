import { InvalidInput, NotFound } from '../errors.ts';
import { builder } from '../graphql/builder.ts';
import { actorOf } from '../graphql/context.ts';
import { UserError } from '../graphql/errors.ts';
import { SshKey, SshKeyUsageEnum } from './ssh-key.type.ts';
import { addSshKey, deleteSshKey, SshKeyAlreadyInUse, updateSshKey } from './ssh-keys.service.ts';

builder.objectType(SshKeyAlreadyInUse, {
  name: 'SshKeyAlreadyInUse',
  description:
    'The key is on an account already, whatever its title and comment there. Nothing was stored. The message names your own key with its title, and tells nothing of anybody else.',
  interfaces: [UserError],
});

builder.relayMutationField(
  'addSshKey',
  {
    description: 'The key, and what it is for.',
    inputFields: (t) => ({
      publicKey: t.string({
        required: true,
        description:
          'One line as it stands in a .pub file, of any of these types: `ssh-ed25519`, `ecdsa-sha2-nistp256`, `-nistp384` or `-nistp521`, `ssh-rsa` of 2048 bits unless the administrator set another limit, `sk-ssh-ed25519@openssh.com`, `sk-ecdsa-sha2-nistp256@openssh.com`. Never a private key.',
      }),
      title: t.string({ required: true, description: 'What you call it, in up to 255 characters.' }),
      expiresAt: t.field({
        type: 'DateTime',
        description:
          'From when on the key is in force no more, in the future. Null or absent: it never expires, unless the administrator set a longest lifetime.',
      }),
      usage: t.field({
        type: SshKeyUsageEnum,
        description: 'What it may be used for; `AUTH_AND_SIGNING` when absent.',
      }),
    }),
  },
  {
    description: 'Adds an SSH key to your account.',
    authScopes: { scope: 'ssh_keys:write' },
    errors: { types: [InvalidInput, SshKeyAlreadyInUse] },
    resolve: async (_root, { input }, context) => ({
      sshKey: await addSshKey(context.runtime, actorOf(context), input),
    }),
  },
  {
    description: 'The key as it was added.',
    outputFields: (t) => ({
      sshKey: t.field({ type: SshKey, description: 'The new key.', resolve: ({ sshKey }) => sshKey }),
    }),
  },
);

builder.relayMutationField(
  'updateSshKey',
  {
    description: 'Which key, and what changes. What is absent stays as it is.',
    inputFields: (t) => ({
      id: t.globalID({ required: true, for: SshKey, description: 'The global id of one of your keys.' }),
      title: t.string({ description: 'Another title, in up to 255 characters.' }),
      expiresAt: t.field({
        type: 'DateTime',
        description:
          'Another end, in the future; an expired key is in force again. Null: it never expires, unless the administrator set a longest lifetime.',
      }),
      usage: t.field({ type: SshKeyUsageEnum, description: 'Another use.' }),
    }),
  },
  {
    description: 'Renames an SSH key, renews it, or changes what it may be used for. The key itself stays.',
    authScopes: { scope: 'ssh_keys:write' },
    errors: { types: [InvalidInput, NotFound] },
    resolve: async (_root, { input: { id, ...change } }, context) => ({
      sshKey: await updateSshKey(context.runtime, actorOf(context), id.id, change),
    }),
  },
  {
    description: 'The key as it is now.',
    outputFields: (t) => ({
      sshKey: t.field({ type: SshKey, description: 'The changed key.', resolve: ({ sshKey }) => sshKey }),
    }),
  },
);

builder.relayMutationField(
  'deleteSshKey',
  {
    description: 'Which key to delete.',
    inputFields: (t) => ({
      id: t.globalID({ required: true, for: SshKey, description: 'The global id of one of your keys.' }),
    }),
  },
  {
    description: 'Deletes an SSH key at once and for good.',
    authScopes: { scope: 'ssh_keys:write' },
    errors: { types: [NotFound] },
    resolve: async (_root, { input: { id } }, context) => {
      await deleteSshKey(context.runtime, actorOf(context), id.id);
      return { id: id.id };
    },
  },
  {
    description: 'What was deleted.',
    outputFields: (t) => ({
      deletedSshKeyId: t.globalID({
        description: 'The id of the key that is gone.',
        resolve: ({ id }) => ({ id, type: SshKey }),
      }),
    }),
  },
);

import { z } from 'zod';
import { insertAudited } from '../audit/insert-audited.ts';
import { recordAudit } from '../audit/record.ts';
import type { Actor } from '../auth/viewer.ts';
import { newId } from '../db/new-id.ts';
import { isUniqueConflict } from '../db/unique-conflict.ts';
import { DomainError, InvalidInput, NotFound } from '../errors.ts';
import type { SshKey, SshKeyUsage } from '../generated/prisma/client.ts';
import { line, parseInput } from '../input.ts';
import { perRuntime, type Runtime } from '../runtime.ts';
import { formatFingerprint, parseFingerprint } from './fingerprint.ts';
import { faultOfExpiry, faultOfKey } from './policy.ts';
import { InvalidPublicKey, type PublicKey, parsePublicKey } from './public-key.ts';

/** A key is on one account of the whole instance: whoever logs in with it must be one person. */
export class SshKeyAlreadyInUse extends DomainError {
  /** @param ownTitle the title of the actor's own key; null when the key is not theirs, and no more is told */
  constructor(ownTitle: string | null) {
    super(
      'SSH_KEY_ALREADY_IN_USE',
      409,
      ownTitle === null
        ? 'This key is already in use. Make another one, for example with: ssh-keygen -t ed25519'
        : `This key is already on your account as "${ownTitle}".`,
      { path: ['input', 'publicKey'] },
    );
  }
}

const title = line('Title', 255);

const usage = z.enum(
  ['AUTH', 'SIGNING', 'AUTH_AND_SIGNING'],
  'Usage takes AUTH, SIGNING or AUTH_AND_SIGNING.',
);

const publicKey = ({ config }: Runtime) =>
  z.string('Public key takes text.').transform((text, context): PublicKey => {
    let fault: string | null;
    try {
      const key = parsePublicKey(text);
      fault = faultOfKey(key, config.sshKeys);
      if (fault === null) return key;
    } catch (error) {
      if (!(error instanceof InvalidPublicKey)) throw error;
      fault = error.message;
    }
    context.addIssue(fault);
    return z.NEVER;
  });

const expiresAt = ({ config, clock }: Runtime) =>
  z
    .date()
    .nullable()
    .superRefine((date, context) => {
      const fault = faultOfExpiry(date, config.sshKeys, clock());
      if (fault !== null) context.addIssue(fault);
    });

const newSshKey = perRuntime((runtime) =>
  z.object({
    publicKey: publicKey(runtime),
    title,
    // Absence is a wish, too: the policy may refuse it.
    expiresAt: expiresAt(runtime).prefault(null),
    usage: usage.nullish().transform((given) => given ?? 'AUTH_AND_SIGNING'),
  }),
);

const sshKeyChange = perRuntime((runtime) =>
  z
    .object({ title: title.optional(), expiresAt: expiresAt(runtime).optional(), usage: usage.optional() })
    .refine(
      (change) => Object.values(change).some((value) => value !== undefined),
      'Name what to change: the title, the expiry or the usage.',
    ),
);

export interface NewSshKey {
  /** One line in OpenSSH's format. */
  publicKey: string;
  title: string;
  /** Null or absent: never. */
  expiresAt?: Date | null;
  /** @default AUTH_AND_SIGNING */
  usage?: SshKeyUsage | null;
}

/** What is absent stays as it is. */
export interface SshKeyChange {
  title?: string | null;
  /** Null: never. */
  expiresAt?: Date | null;
  usage?: SshKeyUsage | null;
}

/**
 * Adds a key to the actor's account.
 *
 * @throws InvalidInput
 * @throws SshKeyAlreadyInUse
 */
export async function addSshKey(runtime: Runtime, actor: Actor, input: NewSshKey): Promise<SshKey> {
  const { publicKey: key, title, expiresAt, usage } = parseInput(newSshKey(runtime), input);
  const { userId } = actor;
  const { type, comment, bits, blobHash } = key;
  try {
    const id = newId();
    const data = { id, userId, title, type, publicKey: key.line, comment, bits, blobHash, expiresAt, usage };
    const [sshKey] = await insertAudited(runtime.db, actor, [{ model: 'SshKey', data }], {
      action: 'ssh_key.add',
      targetType: 'ssh_key',
      targetId: id,
      details: {
        title,
        type,
        fingerprint: formatFingerprint(blobHash),
        usage,
        expiresAt: expiresAt?.toISOString() ?? null,
      },
    });
    return sshKey;
  } catch (error) {
    // Asking before would let two requests at once both hear "no".
    if (!isUniqueConflict(error, 'blob_hash')) throw error;
    const own = await runtime.db.sshKey.findUnique({ where: { blobHash, userId }, select: { title: true } });
    throw new SshKeyAlreadyInUse(own?.title ?? null);
  }
}

/**
 * Renames one of the actor's own keys, gives it another end or another use. An expired key works again when its end
 * moves to the future.
 *
 * @throws InvalidInput
 * @throws NotFound
 */
export async function updateSshKey(
  runtime: Runtime,
  actor: Actor,
  id: string,
  input: SshKeyChange,
): Promise<SshKey> {
  const data = parseInput(sshKeyChange(runtime), input);
  return runtime.db.$transaction(async (tx) => {
    const [sshKey] = await tx.sshKey.updateManyAndReturn({ where: { id, userId: actor.userId }, data });
    if (!sshKey) throw new NotFound('The SSH key', ['input', 'id']);
    const { expiresAt, ...rest } = data;
    await recordAudit(tx, actor, {
      action: 'ssh_key.update',
      targetType: 'ssh_key',
      targetId: id,
      details: {
        ...rest,
        ...(expiresAt !== undefined && { expiresAt: expiresAt?.toISOString() ?? null }),
        fingerprint: formatFingerprint(sshKey.blobHash),
      },
    });
    return sshKey;
  });
}

/**
 * Deletes one of the actor's own keys, at once and for good.
 *
 * @throws NotFound
 */
export async function deleteSshKey({ db }: Runtime, actor: Actor, id: string): Promise<void> {
  const where = { id, userId: actor.userId };
  await db.$transaction(async (tx) => {
    const [sshKey] = await tx.sshKey.findMany({ where });
    const { count } = await tx.sshKey.deleteMany({ where });
    if (!sshKey || count === 0) throw new NotFound('The SSH key', ['input', 'id']);
    await recordAudit(tx, actor, {
      action: 'ssh_key.delete',
      targetType: 'ssh_key',
      targetId: id,
      details: { title: sshKey.title, fingerprint: formatFingerprint(sshKey.blobHash) },
    });
  });
}

/** @throws InvalidInput when the text is no fingerprint: it could be of no key at all */
export function blobHashOf(fingerprint: string): Uint8Array<ArrayBuffer> {
  const blobHash = parseFingerprint(fingerprint);
  if (blobHash) return blobHash;
  const message =
    'Fingerprint takes "SHA256:" and 43 characters of base64, as ssh-keygen -l prints it. MD5 is not accepted.';
  throw new InvalidInput([{ path: ['fingerprint'], message }]);
}

import type { Actor } from '../auth/viewer.ts';
import type { Transaction } from '../db/client.ts';

/** Every kind of change that the audit trail knows. */
type AuditAction =
  | 'user.create'
  | 'user.disable'
  | 'user.enable'
  | 'api_token.create'
  | 'api_token.revoke'
  | 'ssh_key.add'
  | 'ssh_key.update'
  | 'ssh_key.delete'
  | 'oauth_app.create'
  | 'oauth_app.update'
  | 'oauth_app.delete'
  | 'oauth_app_secret.rotate'
  | 'oauth_app_secret.revoke'
  | 'external_auth.link'
  | 'external_auth.refresh'
  | 'external_auth.refresh_failed'
  | 'external_auth.unlink'
  | 'external_auth.revoke'
  | 'external_auth.revoke_failed'
  | 'external_auth.token_handed_out';

export interface AuditEntry {
  action: AuditAction;
  targetType: 'user' | 'api_token' | 'ssh_key' | 'oauth_app' | 'external_auth_link';
  targetId: string;
  /** What changed. Never a secret. */
  details?: Record<string, string | number | boolean | null | string[]>;
}

/** Writes one audit row in the transaction of the change: neither is stored without the other. */
export async function recordAudit(tx: Transaction, actor: Actor, entry: AuditEntry): Promise<void> {
  await tx.auditEvent.create({ data: auditRow(actor, entry) });
}

export function auditRow(
  { userId, tokenId, requestId }: Actor,
  { action, targetType, targetId, details = {} }: AuditEntry,
) {
  return { userId, tokenId, requestId, action, targetType, targetId, details };
}

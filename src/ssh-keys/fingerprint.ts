/** A SHA-256 in base64 without padding: its last character stands for 4 bits, so 2 more are always zero. */
const FINGERPRINT = /^SHA256:([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048])$/;

/** @param blobHash SHA-256 of a key's blob */
export function formatFingerprint(blobHash: Uint8Array): string {
  return `SHA256:${Buffer.from(blobHash).toString('base64').replace('=', '')}`;
}

/**
 * @param fingerprint as `ssh-keygen -l` prints it
 * @returns SHA-256 of the key's blob; null when the text is no such fingerprint
 */
export function parseFingerprint(fingerprint: string): Uint8Array<ArrayBuffer> | null {
  const [, base64] = FINGERPRINT.exec(fingerprint) ?? [];
  return base64 ? new Uint8Array(Buffer.from(base64, 'base64')) : null;
}

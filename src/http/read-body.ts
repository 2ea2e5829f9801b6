import { DomainError } from '../errors.ts';

/** A body that no dialect can work with. Each dialect chooses the words around it, and may choose the status. */
export class UnreadableBody extends DomainError {
  constructor(
    code: 'BODY_TOO_LARGE' | 'UNSUPPORTED_MEDIA_TYPE' | 'MALFORMED_BODY',
    status: 413 | 415 | 400,
    message: string,
  ) {
    super(code, status, message);
  }
}

/**
 * Reads a request's body.
 *
 * @param maxBytes the reading stops there: a length that the client claims is not believed
 * @throws UnreadableBody when it is too large
 */
export async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

export function tooLarge(maxBytes: number): UnreadableBody {
  return new UnreadableBody('BODY_TOO_LARGE', 413, `The body is too large: at most ${maxBytes} bytes.`);
}

/**
 * Reads a request's body as JSON.
 *
 * @returns undefined when the body is empty
 * @throws UnreadableBody when it is too large, of another content type, not UTF-8, or not JSON
 */
export async function readJsonBody(request: Request, maxBytes: number): Promise<unknown> {
  const bytes = await readBytes(request, maxBytes);
  if (bytes.length === 0) return undefined;

  // A form of another site can post text/plain or a form without a preflight, but not application/json. A client
  // that names no type at all is no form.
  const contentType = request.headers.get('content-type');
  if (contentType && !/^application\/(?:json|[\w.+-]+\+json) *(?:;|$)/i.test(contentType)) {
    throw new UnreadableBody(
      'UNSUPPORTED_MEDIA_TYPE',
      415,
      'The body must be JSON: send it with "Content-Type: application/json".',
    );
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return JSON.parse(text) as unknown;
  } catch {
    // Without the cause: the parser's message quotes the body, which may hold a secret.
    throw new UnreadableBody('MALFORMED_BODY', 400, 'The body is not valid JSON in UTF-8.');
  }
}

import { expect } from 'vitest';
import { z } from 'zod';
import type { TestGateway } from '../harness.ts';
import { INTERNALS } from './internals.ts';

export interface CoderAnswer {
  status: number;
  headers: Headers;
  /** The body as it came. */
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  body: any;
}

/** What the web client checks before it believes an error: `detail` is a string or absent, never null. */
const problem = z.strictObject({
  message: z.string().min(1),
  detail: z.string().min(1).optional(),
  validations: z.array(z.strictObject({ field: z.string(), detail: z.string().min(1) })).optional(),
});

/**
 * Sends a request as Coder's clients do: the token in `Coder-Session-Token`, a body as JSON. Whatever is answered
 * is checked for what holds of every answer of the dialect.
 *
 * @param request such as `GET /external-auth`
 */
export async function askCoder(
  gateway: TestGateway,
  request: string,
  {
    token,
    json,
    body,
    headers = {},
  }: { token?: string; json?: unknown; body?: BodyInit; headers?: Record<string, string> } = {},
): Promise<CoderAnswer> {
  const [method, path] = request.split(' ') as [string, string];
  const response = await gateway.fetch(`/api/v2${path}`, {
    method,
    headers: {
      accept: 'application/json',
      ...(token && { 'coder-session-token': token }),
      ...(json !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    body: json === undefined ? body : JSON.stringify(json),
    ...(body instanceof ReadableStream && { duplex: 'half' }),
  });
  const text = await response.text();
  expect(text).not.toMatch(INTERNALS);
  if (response.status === 204 || method === 'HEAD') {
    expect(text).toBe('');
    return { status: response.status, headers: response.headers, text, body: undefined };
  }
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(response.headers.get('cache-control')).toContain('no-store');
  const parsed = JSON.parse(text);
  if (response.status >= 400) expect(problem.safeParse(parsed).error).toBeUndefined();
  return { status: response.status, headers: response.headers, text, body: parsed };
}

/** The text that clients know, for what does not exist and for what is somebody else's. */
export const NOT_FOUND = { message: 'Resource not found or you do not have access to this resource' };

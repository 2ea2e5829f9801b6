import { expect } from 'vitest';
import { z } from 'zod';
import type { TestGateway } from '../harness.ts';
import { expectDocumented } from './documented-answers.ts';
import { INTERNALS } from './internals.ts';

export interface GitflicAnswer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  body: any;
}

/** Every error, whole: nothing is missing and nothing is beyond. */
const problem = z.strictObject({
  timestamp: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  status: z.int(),
  error: z.string().min(1),
  title: z.string().regex(/^error(\.[a-z][A-Za-z]+)+$/),
  message: z.string().min(1),
  path: z.string().startsWith('/'),
  violations: z.array(z.strictObject({ field: z.string().min(1), message: z.string().min(1) })),
});

/**
 * Sends a request as GitFlic's clients do: `Authorization: token …`, a body as JSON. Whatever is answered is
 * checked for what holds of every answer of the dialect, and against the OpenAPI document.
 *
 * @param request such as `GET /user/me`
 */
export async function askGitflic(
  gateway: TestGateway,
  request: string,
  {
    token,
    json,
    body = json === undefined ? undefined : JSON.stringify(json),
    headers = {},
  }: { token?: string; json?: unknown; body?: BodyInit; headers?: Record<string, string> } = {},
): Promise<GitflicAnswer> {
  const [method, path] = request.split(' ') as [string, string];
  const response = await gateway.fetch(path, {
    method,
    body,
    headers: {
      accept: 'application/json',
      ...(token && { authorization: `token ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
  });
  const text = await response.text();
  if (response.status === 204 || method === 'HEAD') {
    expect(text).toBe('');
    return { status: response.status, headers: response.headers, body: undefined };
  }
  expect(response.headers.get('content-type')).toMatch(/^application\/json\b/);
  expect(response.headers.get('cache-control')).toBe('no-store');
  const answer = { status: response.status, headers: response.headers, body: JSON.parse(text) };
  if (token) expect(text).not.toContain(token);
  if (answer.status >= 400) {
    expect(text).not.toMatch(INTERNALS);
    expect(problem.safeParse(answer.body).error).toBeUndefined();
    expect(answer.body.status).toBe(answer.status);
  }
  const documentedPath = path
    .replace(/^\/rest-api/, '')
    .replace(/\?.*$/, '')
    .replace(/\/$/, '');
  expectDocumented(gateway, method, documentedPath, answer);
  return answer;
}

/** What a violation names. */
export function fieldsOf({ body }: GitflicAnswer): string[] {
  return body.violations.map(({ field }: { field: string }) => field);
}

export const newApp = {
  name: 'Build robot',
  description: 'Builds things.',
  homepageUrl: 'https://example.com',
  authCallbackUrl: 'https://example.com/callback',
  standalone: false,
};

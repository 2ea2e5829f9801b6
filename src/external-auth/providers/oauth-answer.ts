/**
 * What providers answer to OAuth requests, brought into the form of RFC 6749 section 5 and RFC 8628 section 3.2, so
 * that oauth4webapi takes it. Known deviations: errors with status 200 (GitHub, Slack), forms instead of JSON
 * (GitHub), no `token_type` or one of their own (Slack, Azure DevOps), null for what is absent, numbers as text,
 * `expires_in` 0 for "never", `verification_url` (Google).
 */
export interface OAuthAnswer {
  response: Response;
  /** The body as the provider sent it; empty when nobody understands it. */
  body: Record<string, unknown>;
}

/**
 * @param response complete, its body in memory
 * @param unwrap finds the token response in an answer that nests it
 */
export async function readOAuthAnswer(
  response: Response,
  unwrap: (body: Record<string, unknown>) => Record<string, unknown> = (body) => body,
): Promise<OAuthAnswer> {
  const text = await response.clone().text();
  const body = parseBody(text, response.headers.get('content-type') ?? '');
  if (!body) {
    return {
      response: new Response(text || null, { status: response.ok ? 200 : response.status }),
      body: {},
    };
  }
  const { verification_url, ...standard } = Object.fromEntries(
    Object.entries(unwrap(body)).filter(([, value]) => value !== null && value !== ''),
  );
  const isError = typeof standard.error === 'string' && standard.access_token === undefined;
  if (!isError) {
    standard.token_type = 'bearer';
    if (verification_url !== undefined) standard.verification_uri ??= verification_url;
    for (const key of ['expires_in', 'interval']) {
      standard[key] = Number(standard[key]) > 0 ? Number(standard[key]) : undefined;
    }
    // We ask for access, not for an identity: the account comes from the provider's API, nothing rests on this.
    delete standard.id_token;
    if (typeof standard.scope !== 'string') delete standard.scope;
  }
  const status = !response.ok ? response.status : isError ? 400 : 200;
  return {
    response: new Response(JSON.stringify(standard), {
      status,
      headers: { 'content-type': 'application/json' },
    }),
    body,
  };
}

function parseBody(text: string, contentType: string): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return { ...parsed };
  } catch {
    // Perhaps a form.
  }
  if (!/^(application\/x-www-form-urlencoded|text\/plain)\b/i.test(contentType)) return null;
  const form = Object.fromEntries(new URLSearchParams(text));
  return 'access_token' in form || 'device_code' in form || 'error' in form ? form : null;
}

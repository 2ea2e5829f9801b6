import { describe, expect, it } from 'vitest';
import { createApp } from '../../src/app.ts';
import { useGateway } from '../harness.ts';

const gateway = useGateway();

/** The same gateway, behind a proxy that speaks https. */
function createHttpsApp() {
  const { runtime } = gateway;
  const http = { ...runtime.config.http, publicUrl: 'https://gatehouse.test' };
  return createApp({ ...runtime, config: { ...runtime.config, http } });
}

const form = (fields: Record<string, string>, headers: Record<string, string> = {}) =>
  gateway.fetch('/login', {
    method: 'POST',
    headers: { origin: gateway.origin, ...headers },
    body: new URLSearchParams(fields),
  });

describe('/login', () => {
  it('asks for a token, on a page without scripts or anything from elsewhere', async () => {
    const response = await gateway.fetch('/login?next=/docs');
    expect(response.status).toBe(200);
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("form-action 'self'");
    expect(policy).not.toContain('unsafe');
    const page = await response.text();
    expect(page).toContain('<input type="hidden" name="next" value="/docs">');
    expect(page).not.toMatch(/<script|\son\w+=|https?:/);
  });

  it('keeps a good token in a cookie that scripts and other sites cannot use, and goes on', async () => {
    const { token, username } = await gateway.user();
    const response = await form({ token: ` ${token}\n`, next: '/graphql' });
    expect([response.status, response.headers.get('location')]).toEqual([303, '/graphql']);
    const cookie = response.headers.get('set-cookie') ?? '';
    expect(cookie).toBe(`gatehouse_session=${token}; Path=/; HttpOnly; SameSite=Lax`);

    const headers = { cookie: cookie.split(';')[0] ?? '' };
    expect(await (await gateway.fetch('/', { headers })).text()).toContain(`<strong>${username}</strong>`);
    expect(await (await gateway.fetch('/login', { headers })).text()).toContain(`Signed in as ${username}`);
  });

  it('pins the cookie to the host when the public address is https', async () => {
    const { token } = await gateway.user();
    const app = createHttpsApp();
    const signIn = await app.fetch(
      new Request('http://gatehouse.test/login', {
        method: 'POST',
        headers: { origin: 'https://gatehouse.test' },
        body: new URLSearchParams({ token }),
      }),
    );
    const cookie = signIn.headers.get('set-cookie');
    expect(cookie).toBe(`__Host-gatehouse_session=${token}; Path=/; HttpOnly; Secure; SameSite=Lax`);
    expect(signIn.headers.get('strict-transport-security')).toBe('max-age=31536000');
    const signOut = await app.fetch(
      new Request('http://gatehouse.test/logout', {
        method: 'POST',
        headers: { origin: 'https://gatehouse.test', cookie: `__Host-gatehouse_session=${token}` },
      }),
    );
    expect(signOut.headers.get('set-cookie')).toBe('__Host-gatehouse_session=; Max-Age=0; Path=/; Secure');
  });

  // Another host of the domain, or anybody on a plain connection, can set the cookies that the prefix does not pin.
  it.each([
    ['https', '__Host-gatehouse_session', '/', true],
    ['https', 'gatehouse_session', '/', false],
    ['https', 'coder_session_token', '/', false],
    ['https', 'coder_session_token', '/api/v2/external-auth', true],
    ['http', 'gatehouse_session', '/', true],
    ['http', '__Host-gatehouse_session', '/', false],
    ['http', 'coder_session_token', '/', false],
  ])('over %s, reads %s at %s: %j', async (scheme, name, path, isRead) => {
    const { token, username } = await gateway.user();
    const app = scheme === 'https' ? createHttpsApp() : createApp(gateway.runtime);
    const url = new URL(path, gateway.origin);
    const response = await app.fetch(new Request(url, { headers: { cookie: `${name}=${token}` } }));
    if (path === '/') expect((await response.text()).includes(username)).toBe(isRead);
    else expect(response.status).toBe(isRead ? 200 : 401);
  });

  it.each(['wrong', '', 'gth_with-a-typo'])('answers 401 and says so for %j', async (token) => {
    const response = await form({ token, next: '/docs' });
    expect(response.status).toBe(401);
    expect(response.headers.get('set-cookie')).toBeNull();
    const page = await response.text();
    expect(page).toContain('role="alert"');
    expect(page).toContain('value="/docs"');
  });

  it('takes no token of a disabled user', async () => {
    const { id, token } = await gateway.user();
    await gateway.runtime.db.user.update({ where: { id }, data: { disabledAt: new Date() } });
    expect((await form({ token })).status).toBe(401);
  });

  it.each(['https://evil.example', '//evil.example', '/\\evil.example', '/.//evil.example', 'evil'])(
    'goes to the start page rather than to %j',
    async (next) => {
      const { token } = await gateway.user();
      expect((await form({ token, next })).headers.get('location')).toBe('/');
      const page = await (await gateway.fetch(`/login?next=${encodeURIComponent(next)}`)).text();
      expect(page).toContain('name="next" value="/"');
    },
  );

  it('writes nothing into the page that is HTML', async () => {
    const page = await (
      await gateway.fetch(`/login?next=${encodeURIComponent('/"><script>x</script>')}`)
    ).text();
    expect(page).not.toContain('<script>');
    expect(page).toContain('&lt;script&gt;');
  });

  // Whoever is signed in as somebody else links their own accounts to that one.
  it('cannot be sent by another site', async () => {
    const { token } = await gateway.user();
    expect((await form({ token }, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await form({ token }, { origin: 'null' })).status).toBe(403);
  });

  it('takes a form and nothing else', async () => {
    const { token } = await gateway.user();
    const response = await gateway.fetch('/login', {
      method: 'POST',
      headers: { origin: gateway.origin, 'content-type': 'application/json' },
      body: JSON.stringify({ token }),
    });
    expect(response.status).toBe(415);
  });

  it('may lead to a provider', async () => {
    const response = await gateway.fetch('/login?next=/external-auth/github');
    expect(response.headers.get('content-security-policy')).not.toContain('form-action');
  });
});

describe('/logout', () => {
  it('drops the cookie', async () => {
    const { token } = await gateway.user();
    const response = await gateway.fetch('/logout', {
      method: 'POST',
      headers: { origin: gateway.origin, cookie: `gatehouse_session=${token}` },
    });
    expect([response.status, response.headers.get('location')]).toEqual([303, '/login']);
    expect(response.headers.get('set-cookie')).toMatch(/^gatehouse_session=; Max-Age=0; Path=\//);
  });

  it('does nothing for a link or another site', async () => {
    expect((await gateway.fetch('/logout')).status).toBe(404);
    const response = await gateway.fetch('/logout', {
      method: 'POST',
      headers: { origin: 'https://evil.example' },
    });
    expect(response.status).toBe(403);
  });
});

import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { OPENING_QUERY } from '../../src/graphql/graphiql.ts';
import { schema } from '../../src/graphql/schema.ts';
import { useGateway } from '../harness.ts';

const gateway = useGateway();
const withoutGraphiql = useGateway({ env: { GRAPHIQL: 'false' } });

/** What a browser sends when somebody enters the address. */
const browser = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };

async function openPage() {
  const response = await gateway.fetch('/graphql', { headers: browser });
  const html = await response.text();
  return { response, html, files: [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url = '']) => url) };
}

describe('the opening query', () => {
  it('fits the schema, and works for a first user', async () => {
    expect(validate(schema, parse(OPENING_QUERY))).toEqual([]);
    const { token, username } = await gateway.user();
    const { status, data, errors } = await gateway.graphql(OPENING_QUERY, {}, token);
    expect({ status, errors }).toEqual({ status: 200, errors: undefined });
    expect(data.viewer.username).toBe(username);
  });

  it('says how to sign in to whoever has not', async () => {
    const { status, errors } = await gateway.graphql(OPENING_QUERY);
    expect(status).toBe(401);
    expect(errors?.[0].message).toContain('Authorization: Bearer');
  });
});

describe('the page', () => {
  it('is small, and loads only files of this server', async () => {
    const { response, html, files } = await openPage();
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/html/);
    expect(html.length).toBeLessThan(1_000);
    expect(html).toContain('<title>Gatehouse</title>');
    expect(files.length).toBe(4);
    for (const file of files) expect(file).toMatch(/^\/graphiql\/[0-9a-f]{16}\/[a-z]+\.(?:js|css|ico)$/);
  });

  it('forbids scripts from elsewhere, inline scripts, and being framed', async () => {
    const { response } = await openPage();
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'; script-src 'self'; worker-src 'self';");
    expect(policy).toContain("frame-ancestors 'none'");
  });

  it('is not shown to programs', async () => {
    for (const accept of ['*/*', 'application/json', 'application/graphql-response+json']) {
      const response = await gateway.fetch('/graphql?query=%7B__typename%7D', { headers: { accept } });
      expect(await response.json()).toEqual({ data: { __typename: 'Query' } });
    }
  });

  it('is off with GRAPHIQL=false', async () => {
    const { files } = await openPage();
    const page = await withoutGraphiql.fetch('/graphql', { headers: browser });
    expect(await page.text()).not.toContain('<html');
    for (const file of files) {
      const response = await withoutGraphiql.fetch(file);
      expect(response.status).toBe(404);
    }
  });
});

describe('its files', () => {
  it.each([
    ['br', 'gzip, deflate, br, zstd', brotliDecompressSync],
    ['gzip', 'gzip, br;q=0', gunzipSync],
  ] as const)('come compressed with %s, to be kept for good', async (encoding, accepted, decompress) => {
    const { files } = await openPage();
    for (const file of files) {
      const plain = await gateway.fetch(file);
      const compressed = await gateway.fetch(file, { headers: { 'accept-encoding': accepted } });
      expect(compressed.headers.get('content-encoding')).toBe(encoding);
      expect(compressed.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(compressed.headers.get('vary')).toBe('Accept-Encoding');
      expect(compressed.headers.get('etag')).not.toBe(plain.headers.get('etag'));
      const body = Buffer.from(await compressed.arrayBuffer());
      const whole = Buffer.from(await plain.arrayBuffer());
      expect(decompress(body).equals(whole)).toBe(true);
      if (file.endsWith('/graphiql.js')) expect(body.length).toBeLessThan(whole.length / 3);
    }
  });

  it('are not found under another version or name', async () => {
    const { files } = await openPage();
    const script = files.find((file) => file.endsWith('/graphiql.js')) ?? '';
    for (const path of [
      script.replace(/[0-9a-f]{16}/, '0'.repeat(16)),
      script.replace('graphiql.js', 'index.js'),
      script.replace('graphiql.js', '..%2f..%2fpackage.json'),
    ]) {
      expect((await gateway.fetch(path)).status).toBe(404);
    }
  });
});

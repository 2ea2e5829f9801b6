import { describe, expect, it } from 'vitest';
import { useGateway } from '../harness.ts';

const gateway = useGateway();

describe('/docs', () => {
  it('is a page that needs nothing from elsewhere and no inline script', async () => {
    const response = await gateway.fetch('/docs');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/html/);
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");

    const page = await response.text();
    const addresses = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address ?? '');
    expect(addresses.length).toBeGreaterThan(2);
    for (const address of addresses) {
      if (address === 'data:,') continue;
      expect(address).toMatch(/^\/docs\//);
      const asset = await gateway.fetch(address);
      expect(asset.status, address).toBe(200);
      expect(asset.headers.get('content-type'), address).toMatch(/^text\/(css|javascript)/);
      expect((await asset.text()).length).toBeGreaterThan(50);
    }
    expect(page).not.toMatch(/<script>|<style|\son\w+=/);
  });

  it('redirects from a trailing slash', async () => {
    const response = await gateway.fetch('/docs/');
    expect([response.status, response.headers.get('location')]).toEqual([301, '/docs']);
  });

  it('serves no other file of its folder', async () => {
    for (const path of ['/docs/package.json', '/docs/..%2fpackage.json', '/docs/swagger-ui.css.map']) {
      expect((await gateway.fetch(path)).status, path).toBe(404);
    }
  });
});

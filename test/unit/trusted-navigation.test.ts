import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { comesFromTrustedPage } from '../../src/external-auth/trusted-navigation.ts';

const trusted = ['https://gatehouse.example', 'https://portal.example:8443'];
const ask = (headers: Record<string, string>) => comesFromTrustedPage(new Headers(headers), trusted);

describe('a navigation', () => {
  it.each<[string, Record<string, string>]>([
    ['within the origin', { 'sec-fetch-site': 'same-origin' }],
    ['from our own page', { referer: 'https://gatehouse.example/login?next=/' }],
    ['from an allowed origin', { 'sec-fetch-site': 'cross-site', referer: 'https://portal.example:8443/' }],
    ['from a form of an allowed origin', { origin: 'https://portal.example:8443' }],
  ])('%s is trusted', (_, headers) => {
    expect(ask(headers)).toBe(true);
  });

  it.each<[string, Record<string, string>]>([
    ['that says nothing', {}],
    ['typed in, or from a mail program', { 'sec-fetch-site': 'none' }],
    ['from a neighbour', { 'sec-fetch-site': 'same-site', referer: 'https://evil.gatehouse.example/' }],
    ['from another port', { referer: 'https://portal.example/' }],
    ['without TLS', { referer: 'http://gatehouse.example/' }],
    ['with a name that begins alike', { referer: 'https://gatehouse.example.evil.test/' }],
    ['with our name as a user', { referer: 'https://gatehouse.example@evil.test/' }],
    ['with our name in its path', { referer: 'https://evil.test/https://gatehouse.example' }],
    ['of no origin', { origin: 'null' }],
    [
      'of another origin, whatever its referrer',
      { origin: 'https://evil.test', referer: 'https://gatehouse.example/' },
    ],
    ['of no origin, whatever its referrer', { origin: 'null', referer: 'https://gatehouse.example/' }],
  ])('%s is not trusted', (_, headers) => {
    expect(ask(headers)).toBe(false);
  });

  it('from any page of the web is trusted exactly when its origin is', () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), (referer) => {
        expect(ask({ referer })).toBe(trusted.includes(new URL(referer).origin));
      }),
    );
  });

  it('with any referrer at all does no harm', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), (text) => {
        const referer = text.replace(/[^\x20-\x7e]/g, '').trim();
        if (!referer.startsWith('https://gatehouse.example')) expect(ask({ referer })).toBe(false);
      }),
    );
  });
});

import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { useGateway } from '../harness.ts';
import { withoutTokenCheck } from '../statements.ts';
import { askGitflic, fieldsOf, newApp } from './gitflic-client.ts';

const gateway = useGateway();
const PATH = '/user/settings/oauth';

interface Owner {
  token: string;
  /** The ids of their apps, newest first. */
  ids: string[];
}

async function ownerOf(count: number): Promise<Owner> {
  const { token } = await gateway.user();
  const ids: string[] = [];
  for (let number = 0; number < count; number += 1) {
    const json = { ...newApp, name: `App ${number}` };
    const { body } = await askGitflic(gateway, `POST ${PATH}`, { token, json });
    ids.unshift(body.id);
  }
  return { token, ids };
}

/** Around the default size, and around nothing. */
const TOTALS = [0, 1, 9, 10, 11, 23];
let owners: Owner[];

beforeAll(async () => {
  owners = await Promise.all(TOTALS.map(ownerOf));
});

/** Asks for a page and makes the checks of the strictest known client. */
async function readPage({ token, ids }: Owner, page: number, size: number): Promise<string[]> {
  const { status, body } = await askGitflic(gateway, `GET ${PATH}?page=${page}&size=${size}`, { token });
  expect(status).toBe(200);
  expect(body.page).toEqual({
    size,
    number: page,
    totalElements: ids.length,
    totalPages: Math.ceil(ids.length / size),
  });
  expect(Object.keys(body)).toEqual(['_embedded', 'page']);
  return body._embedded.oauthModelList.map(({ id }: { id: string }) => id);
}

describe('a page of apps', () => {
  it('is the slice asked for, newest first, whatever total, page and size', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(TOTALS.length - 1),
        fc.nat(30),
        fc.oneof(fc.integer({ min: 1, max: 30 }), fc.constant(200)),
        async (which, page, size) => {
          const owner = owners[which] as Owner;
          const expected = owner.ids.slice(page * size, (page + 1) * size);
          expect(await readPage(owner, page, size)).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('leads with the others to every app once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(TOTALS.length - 1), fc.integer({ min: 1, max: 25 }), async (which, size) => {
        const owner = owners[which] as Owner;
        const walked: string[] = [];
        for (let page = 0; page < Math.ceil(owner.ids.length / size); page += 1) {
          walked.push(...(await readPage(owner, page, size)));
        }
        expect(walked).toEqual(owner.ids);
        // Behind the last page, and far behind it.
        expect(await readPage(owner, Math.ceil(owner.ids.length / size), size)).toEqual([]);
        expect(await readPage(owner, Math.floor((2 ** 31 - 1) / size), size)).toEqual([]);
      }),
      { numRuns: 12 },
    );
  });

  it('is the first of ten when nothing is asked for', async () => {
    const owner = owners.at(-1) as Owner;
    const { body } = await askGitflic(gateway, `GET ${PATH}`, { token: owner.token });
    expect(body._embedded.oauthModelList.map(({ id }: { id: string }) => id)).toEqual(owner.ids.slice(0, 10));
    expect(body.page).toEqual({ size: 10, number: 0, totalElements: 23, totalPages: 3 });
  });

  it('has its list also when it is empty: clients crash without it', async () => {
    const { token } = owners[0] as Owner;
    const { body } = await askGitflic(gateway, `GET ${PATH}/`, { token });
    expect(body).toEqual({
      _embedded: { oauthModelList: [] },
      page: { size: 10, number: 0, totalElements: 0, totalPages: 0 },
    });
  });

  it('ignores query parameters that it does not know', async () => {
    const { token } = owners[1] as Owner;
    const { status, body } = await askGitflic(gateway, `GET ${PATH}?sort=name,asc&q=%FF&size=5&Page=x`, {
      token,
    });
    expect([status, body.page.size, body.page.number]).toEqual([200, 5, 0]);
  });

  it('costs the same number of statements for one app and for many', async () => {
    const count = async ({ token }: Owner) => {
      const before = gateway.statements.length;
      await askGitflic(gateway, `GET ${PATH}?size=200`, { token });
      return withoutTokenCheck(gateway.statements.slice(before)).length;
    };
    const [one, many] = [owners[1] as Owner, owners.at(-1) as Owner];
    expect(await count(many)).toBe(await count(one));
  });
});

describe('a page or size that is none', () => {
  it.each([
    '-1',
    '1.5',
    '1e1',
    '0x1',
    '+1',
    '%201',
    '1%20',
    'one',
    '',
    'null',
    '٣',
    '99999999999',
    '2147483648',
    '1,2',
  ])('is refused as page: %s', async (page) => {
    const { token } = owners[0] as Owner;
    const answer = await askGitflic(gateway, `GET ${PATH}?page=${page}`, { token });
    expect([answer.status, fieldsOf(answer)]).toEqual([422, ['page']]);
  });

  it.each(['0', '-1', '1.5', '201', '1e1', 'ten', '', '99999999999'])(
    'is refused as size: %s',
    async (size) => {
      const { token } = owners[0] as Owner;
      const answer = await askGitflic(gateway, `GET ${PATH}?size=${size}`, { token });
      expect([answer.status, fieldsOf(answer)]).toEqual([422, ['size']]);
    },
  );

  it('is named together with the other', async () => {
    const { token } = owners[0] as Owner;
    const answer = await askGitflic(gateway, `GET ${PATH}?size=0&page=-1`, { token });
    expect([answer.status, fieldsOf(answer)]).toEqual([422, ['page', 'size']]);
  });

  it('is refused also when only the two together are too large', async () => {
    const { token } = owners[0] as Owner;
    const answer = await askGitflic(gateway, `GET ${PATH}?size=200&page=2147483647`, { token });
    expect([answer.status, fieldsOf(answer)]).toEqual([422, ['page']]);
  });

  it('is never followed by anything but 200 or 422', async () => {
    const { token } = owners[1] as Owner;
    const text = fc.oneof(
      fc.string({ unit: 'binary-ascii' }),
      fc.integer().map(String),
      fc.double().map(String),
    );
    await fc.assert(
      fc.asyncProperty(text, text, async (page, size) => {
        const query = new URLSearchParams({ page, size });
        const { status } = await askGitflic(gateway, `GET ${PATH}?${query}`, { token });
        expect([200, 422]).toContain(status);
      }),
      { numRuns: 100 },
    );
  });
});

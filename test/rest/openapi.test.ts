import { Validator } from '@seriousme/openapi-schema-validator';
import { beforeAll, describe, expect, it } from 'vitest';
import { useGateway } from '../harness.ts';
import { type DocumentedOperation, documentedOperations, schemaFaults } from './documented-answers.ts';

const gateway = useGateway();
// biome-ignore lint/suspicious/noExplicitAny: a document is looked into by path
let document: any;
let operations: DocumentedOperation[];

beforeAll(async () => {
  const response = await gateway.fetch('/openapi.json');
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  document = await response.json();
  operations = documentedOperations(document);
});

describe('/openapi.json', () => {
  it('is a valid OpenAPI 3.1 document', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(document));
    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
    expect(validator.version).toBe('3.1');
    // Throws when a reference leads nowhere.
    expect(validator.resolveRefs()).toBeDefined();
  });

  it('names the requests of both dialects', () => {
    expect(operations.map(({ method, path }) => `${method} ${path}`).sort()).toEqual([
      'DELETE /api/v2/external-auth/{externalauth}',
      'DELETE /user/settings/oauth/{id}',
      'GET /api/v2/external-auth',
      'GET /api/v2/external-auth/{externalauth}',
      'GET /api/v2/external-auth/{externalauth}/device',
      'GET /api/v2/workspaceagents/me/external-auth',
      'GET /user/me',
      'GET /user/settings/oauth',
      'GET /user/settings/oauth/{id}',
      'POST /api/v2/external-auth/{externalauth}/device',
      'POST /user/settings/add-ssh-key',
      'POST /user/settings/oauth',
      'PUT /user/settings/oauth/{id}',
    ]);
  });

  it('describes every operation, its security and its failures', () => {
    const schemes = Object.keys(document.components.securitySchemes);
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    for (const operation of operations) {
      const { operationId, security, responses } = operation;
      expect(operation, operationId).toMatchObject({
        summary: expect.stringMatching(/\w/),
        tags: [expect.any(String)],
      });
      expect(security.length, operationId).toBeGreaterThan(0);
      for (const scheme of security.flatMap(Object.keys)) expect(schemes, operationId).toContain(scheme);
      const statuses = Object.keys(responses);
      expect(
        statuses.some((status) => status.startsWith('2')),
        operationId,
      ).toBe(true);
      expect(statuses, operationId).toContain('403');
      for (const [status, { description, content }] of Object.entries(responses)) {
        expect(description, `${operationId} ${status}`).toMatch(/\w/);
        const schema = content?.['application/json']?.schema;
        if (status !== '204') expect(schema, `${operationId} ${status}`).toBeDefined();
        if (Number(status) >= 400) {
          expect(schema, `${operationId} ${status}`).toEqual({
            $ref: expect.stringMatching(/^#\/components\/schemas\/(Coder|Gitflic)Problem$/),
          });
        }
      }
    }
  });

  it('shows a key that is taken', async () => {
    const { token } = await gateway.user();
    const { properties } = document.components.schemas.GitflicNewSshKey;
    const response = await gateway.fetch('/user/settings/add-ssh-key', {
      method: 'POST',
      token,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ title: 'laptop', publicKey: properties.publicKey.example }),
    });
    expect(response.status).toBe(200);
  });

  it('describes every body', () => {
    for (const [name, schema] of Object.entries<{ description?: string }>(document.components.schemas)) {
      expect(schema.description, name).toMatch(/\w/);
    }
  });
});

describe('a documented operation', () => {
  /** Calls each operation, with made-up ids and without a body. */
  async function callAll(token?: string) {
    const answers = [];
    for (const operation of operations) {
      const path = operation.path
        .replace('{id}', '0198a1f2-7c4e-7b1a-9a55-3f2d8c6e1b70')
        .replace('{externalauth}', 'unknown');
      const response = await gateway.fetch(path, { method: operation.method, token });
      const text = await response.text();
      answers.push({ operation, status: response.status, body: text === '' ? undefined : JSON.parse(text) });
    }
    return answers;
  }

  function expectAsDocumented({ operation, status, body }: Awaited<ReturnType<typeof callAll>>[number]) {
    const { operationId, responses } = operation;
    expect(Object.keys(responses), operationId).toContain(String(status));
    const schema = responses[status]?.content?.['application/json']?.schema;
    if (schema) expect(schemaFaults(document, schema, body), operationId).toEqual([]);
    else expect(body, operationId).toBeUndefined();
  }

  it('exists, and answers as documented to a stranger', async () => {
    const answers = await callAll();
    expect(answers.length).toBeGreaterThan(0);
    for (const answer of answers) {
      expect([401, 403], answer.operation.operationId).toContain(answer.status);
      expectAsDocumented(answer);
    }
  });

  it('answers as documented to a viewer', async () => {
    const { token } = await gateway.user();
    for (const answer of await callAll(token)) {
      expect([401, 403, 405, 500], answer.operation.operationId).not.toContain(answer.status);
      expectAsDocumented(answer);
    }
  });

  it('answers as documented to a token that may do nothing of it', async () => {
    const { token } = await gateway.user(['tokens:write']);
    for (const answer of await callAll(token)) expectAsDocumented(answer);
  });

  it('is named in the Allow header of its path, and no other method is', async () => {
    const byPath = new Map<string, string[]>();
    for (const { path, method } of operations) byPath.set(path, [...(byPath.get(path) ?? []), method]);
    for (const [path, methods] of byPath) {
      const response = await gateway.fetch(path.replace(/\{\w+\}/, 'x'), { method: 'PATCH' });
      expect(response.status, path).toBe(405);
      const allowed = (response.headers.get('allow') ?? '').split(', ');
      expect(allowed.filter((method) => !['HEAD', 'OPTIONS'].includes(method)).sort(), path).toEqual(
        methods.sort(),
      );
      expect(allowed.includes('HEAD'), path).toBe(methods.includes('GET'));
    }
  });
});

describe('the check of answers itself', () => {
  it('finds a missing field, a wrong type, and a fault behind a reference', () => {
    const page = { $ref: '#/components/schemas/GitflicOAuthAppPage' };
    const right = {
      _embedded: { oauthModelList: [] },
      page: { size: 10, totalElements: 0, totalPages: 0, number: 0 },
    };
    expect(schemaFaults(document, page, right)).toEqual([]);
    expect(schemaFaults(document, page, { ...right, _embedded: {} })).not.toEqual([]);
    expect(schemaFaults(document, page, { ...right, page: { ...right.page, size: '10' } })).not.toEqual([]);
    expect(schemaFaults(document, page, { ...right, _embedded: { oauthModelList: [{}] } })).not.toEqual([]);
  });
});

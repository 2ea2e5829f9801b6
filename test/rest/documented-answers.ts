import { expect } from 'vitest';
import { z } from 'zod';
import { openApiDocument } from '../../src/rest/openapi.ts';
import type { TestGateway } from '../harness.ts';

interface Response {
  description: string;
  content?: Record<string, { schema: object }>;
}

export interface DocumentedOperation {
  operationId: string;
  method: string;
  /** With parameters in braces. */
  path: string;
  security: Record<string, string[]>[];
  responses: Record<string, Response>;
}

interface Document {
  paths: Record<string, Record<string, Omit<DocumentedOperation, 'method' | 'path'>>>;
  components: { schemas: Record<string, object> };
}

export function documentedOperations(document: object): DocumentedOperation[] {
  return Object.entries((document as Document).paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...operation,
      method: method.toUpperCase(),
      path,
    })),
  );
}

/** The faults of a body against a schema of the document, read back from its JSON. */
export function schemaFaults(document: object, schema: object, body: unknown): string[] {
  const { schemas } = (document as Document).components;
  const text = JSON.stringify({ ...schema, $defs: schemas }).replaceAll('#/components/schemas/', '#/$defs/');
  const { error } = z.fromJSONSchema(JSON.parse(text)).safeParse(body);
  return error ? error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) : [];
}

/**
 * Expects an answer to be documented: its operation, its status for that operation, and its body. An answer to a
 * request that is not in the document is none of this check's business.
 *
 * @param path as in the document, without a base and a query
 */
export function expectDocumented(
  gateway: TestGateway,
  method: string,
  path: string,
  { status, body }: { status: number; body: unknown },
): void {
  const document = openApiDocument(gateway.runtime.config);
  const operation = documentedOperations(document).find(
    (candidate) =>
      candidate.method === method &&
      new RegExp(`^${candidate.path.replace(/\{\w+\}/g, '[^/]+')}$`).test(path),
  );
  if (!operation) return;
  const response = operation.responses[status];
  expect(response, `${operation.operationId} documents no ${status}`).toBeDefined();
  const schema = response?.content?.['application/json']?.schema;
  if (!schema) expect(body).toBeUndefined();
  else expect(schemaFaults(document, schema, body)).toEqual([]);
}

import {
  type DocumentNode,
  type GraphQLNamedType,
  isAbstractType,
  isObjectType,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import { grants, type Scope } from '../auth/scopes.ts';
import type { Viewer } from '../auth/viewer.ts';
import { schema } from './schema.ts';

/** Whether a viewer passes every check of scopes that an operation could come to. */
export type PassesChecks = (viewer: Viewer | null) => boolean;

/**
 * Finds the scopes that the types and fields of a document ask for. What may be of several types counts as all of
 * them, so that these are never fewer than an execution would check.
 *
 * @param document valid
 */
export function findNeededScopes(document: DocumentNode): PassesChecks {
  const needed = new Set<Scope>();
  let isKnown = true;

  function note({ extensions }: { extensions: object }): void {
    const { pothosOptions } = extensions as { pothosOptions?: { authScopes?: unknown } };
    const authScopes = pothosOptions?.authScopes;
    if (authScopes === undefined) return;
    // A function looks at what is there, which nobody can know before.
    if (typeof authScopes !== 'object' || authScopes === null) isKnown = false;
    for (const [check, value] of Object.entries(authScopes ?? {})) {
      if (check === 'scope') needed.add(value as Scope);
      else if (check !== 'signedIn' || value !== true) isKnown = false;
    }
  }

  const types = new TypeInfo(schema);
  visit(
    document,
    visitWithTypeInfo(types, {
      Field() {
        const field = types.getFieldDef();
        if (field) note(field);
        for (const type of possibleTypes(types.getParentType())) note(type);
      },
    }),
  );
  const scopes = [...needed];
  return (viewer) => isKnown && viewer !== null && scopes.every((scope) => grants(viewer.scopes, scope));
}

function possibleTypes(type: GraphQLNamedType | null | undefined): GraphQLNamedType[] {
  if (isAbstractType(type)) return [type, ...schema.getPossibleTypes(type)];
  return isObjectType(type) ? [type, ...type.getInterfaces()] : [];
}

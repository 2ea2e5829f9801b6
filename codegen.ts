import type { CodegenConfig } from '@graphql-codegen/cli';

/** Types the operations that the REST shim runs, from the committed schema. */
const config: CodegenConfig = {
  schema: 'schema.graphql',
  documents: 'src/rest/**/*.graphql',
  generates: {
    'src/generated/operations.ts': {
      plugins: ['typescript', 'typescript-operations', 'typed-document-node'],
      config: {
        useTypeImports: true,
        enumsAsTypes: true,
        skipTypename: false,
        nonOptionalTypename: true,
        onlyOperationTypes: true,
        strictScalars: true,
        scalars: { DateTime: 'string', UUID: 'string', URL: 'string', JSONObject: 'Record<string, unknown>' },
      },
    },
  },
};

export default config;

import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import { NoSchemaIntrospectionCustomRule } from 'graphql';
import { createYoga, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import type { Runtime } from '../runtime.ts';
import type { Context } from './context.ts';
import { toPublicError } from './errors.ts';
import { schema } from './schema.ts';

/** What the HTTP side knows of a request before GraphQL runs. */
export type RequestContext = Pick<Context, 'viewer' | 'requestId'>;

export type GraphQLServer = YogaServerInstance<RequestContext, { runtime: Runtime }>;

export function createGraphQLServer(runtime: Runtime): GraphQLServer {
  const { graphql } = runtime.config;
  return createYoga<RequestContext, { runtime: Runtime }>({
    schema,
    context: () => ({ runtime }),
    graphqlEndpoint: '/graphql',
    graphiql: graphql.graphiql && { title: 'Gatehouse' },
    renderGraphiQL,
    landingPage: false,
    batching: false,
    multipart: false,
    // CORS belongs to the whole app: see src/http.
    cors: false,
    logging: false,
    maskedErrors: {
      maskError: (error) =>
        toPublicError(error, '', (bug) => runtime.log.error({ err: bug }, 'resolver failed')),
    },
    plugins: [!graphql.introspection && withoutIntrospection],
  });
}

const withoutIntrospection: Plugin = {
  onValidate: ({ addValidationRule }) => addValidationRule(NoSchemaIntrospectionCustomRule),
};

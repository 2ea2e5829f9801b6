/** A token check reads its rows at most once in some seconds, and notes the token's use at most once a minute. */
const OF_TOKEN_CHECK = [
  /^UPDATE "public"."api_tokens" SET "last_used_at"/,
  /"api_tokens"."token_hash" IN/,
  /FROM "public"."users" WHERE "public"."users"."id" IN/,
];

/** The statements of an operation itself. Those of its token check come and go with the cache. */
export function withoutTokenCheck(statements: string[]): string[] {
  return statements.filter((sql) => !OF_TOKEN_CHECK.some((pattern) => pattern.test(sql)));
}

import { describePattern, runWithin } from './match-pattern.ts';

/** What matching needs of a provider's settings. */
export interface Matchable {
  regex: RegExp | null;
}

/** Longer than any git URL. */
const MAX_URL_LENGTH = 2_048;

/**
 * The provider that serves a git URL: of those whose pattern matches, the one whose pattern demands the most
 * characters literally, so that `github.com/acme` wins over `github.com`. Two that demand the same stop the start
 * (findTies); where only an odd URL brings two such together, the one that matches further to the left wins, then
 * the one that is configured first.
 *
 * @param gitUrl such as `https://github.com/acme/site.git`, or `github.com`
 */
export function matchProvider<T extends Matchable>(providers: readonly T[], gitUrl: string): T | null {
  if (gitUrl.length > MAX_URL_LENGTH) return null;
  const url = normalize(gitUrl);
  const matches = runWithin(100, () =>
    providers.flatMap((provider) => {
      const index = provider.regex?.exec(url)?.index;
      return index === undefined ? [] : [{ provider, index }];
    }),
  );
  const [best] = (matches ?? []).sort(
    (a, b) => specificity(b.provider) - specificity(a.provider) || a.index - b.index,
  );
  return best?.provider ?? null;
}

/** The pairs of providers that some URL cannot decide between. */
export function findTies<T extends Matchable>(providers: readonly T[]): Array<[T, T]> {
  return providers.flatMap((a, index) =>
    providers.slice(index + 1).flatMap((b): Array<[T, T]> => (isTie(a, b) ? [[a, b]] : [])),
  );
}

function isTie({ regex: a }: Matchable, { regex: b }: Matchable): boolean {
  if (!a || !b) return false;
  const [shapeA, shapeB] = [describePattern(a), describePattern(b)];
  if (shapeA.literals !== shapeB.literals) return false;
  const samples = [...shapeA.samples, ...shapeB.samples];
  return runWithin(100, () => samples.some((sample) => a.test(sample) && b.test(sample))) ?? false;
}

function specificity({ regex }: Matchable): number {
  return regex ? describePattern(regex).literals : 0;
}

/** Hosts are the same in any case; a user name is no part of what is asked for. */
function normalize(gitUrl: string): string {
  if (!/^https?:\/\//i.test(gitUrl) || !URL.canParse(gitUrl)) return gitUrl;
  const { protocol, host, pathname } = new URL(gitUrl);
  return `${protocol}//${host}${pathname}`;
}

import { describePattern, runWithin } from './match-pattern.ts';

/** What matching needs of a provider's settings. */
export interface Matchable {
  regex: RegExp | null;
  /** Gives way to every pattern that is none. */
  regexIsGuess: boolean;
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
  const patterns = providers.flatMap((provider) => {
    const { regex, regexIsGuess } = provider;
    return regex && !regexIsGuess ? [{ provider, regex, ...describePattern(regex) }] : [];
  });
  const findAll = () =>
    patterns.flatMap((a, index) =>
      patterns.slice(index + 1).flatMap((b): Array<[T, T]> => {
        const areEqual =
          a.literals === b.literals &&
          [...a.samples, ...b.samples].some((sample) => a.regex.test(sample) && b.regex.test(sample));
        return areEqual ? [[a.provider, b.provider]] : [];
      }),
    );
  return runWithin(1_000, findAll) ?? [];
}

function specificity({ regex, regexIsGuess }: Matchable): number {
  return regex && !regexIsGuess ? describePattern(regex).literals : -1;
}

/** Hosts are the same in any case; a user name is no part of what is asked for. */
function normalize(gitUrl: string): string {
  if (!/^https?:\/\//i.test(gitUrl) || !URL.canParse(gitUrl)) return gitUrl;
  const { protocol, host, pathname } = new URL(gitUrl);
  return `${protocol}//${host}${pathname}`;
}

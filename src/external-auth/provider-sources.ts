/** The settings of one provider as they were written, whatever they were written in. */
export interface ProviderSource {
  /** Such as `EXTERNAL_AUTH_0_*` or `externalAuthProviders[0]`. */
  name: string;
  /** By the environment's names, such as `CLIENT_ID`. */
  values: Record<string, unknown>;
  /** How the operator wrote a setting: `EXTERNAL_AUTH_0_CLIENT_ID`, `externalAuthProviders[0].client_id`. */
  label: (setting: string) => string;
}

/** Coder's names in YAML for what the environment calls otherwise. */
const YAML_NAMES: Record<string, string> = {
  code_challenge_methods_supported: 'PKCE_METHODS',
};

/**
 * Collects the providers of the environment, in the order of their numbers, and then those of the configuration file.
 *
 * @param known the settings that a provider has
 */
export function readSources(
  env: Record<string, string>,
  document: unknown,
  known: string[],
): { sources: ProviderSource[]; faults: string[] } {
  const faults: string[] = [];
  return {
    sources: [
      ...readEnvironment(env, 'EXTERNAL_AUTH_', known, faults),
      ...readEnvironment(env, 'CODER_EXTERNAL_AUTH_', known, faults),
      ...readDocument(document, faults),
    ],
    faults,
  };
}

/**
 * A setting that nobody knows is a slip of the pen under our own prefix. Under Coder's it is left alone, as Coder
 * does: an environment written for any release of it has to start unchanged.
 */
function readEnvironment(
  env: Record<string, string>,
  prefix: string,
  known: string[],
  faults: string[],
): ProviderSource[] {
  const isOurs = prefix === 'EXTERNAL_AUTH_';
  const byNumber = new Map<number, Record<string, unknown>>();
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(prefix) || value === '') continue;
    const match = /^(0|[1-9]\d{0,5})_(.+)$/.exec(name.slice(prefix.length));
    if (!match) {
      const setting = longest(known.filter((candidate) => name.endsWith(`_${candidate}`)));
      if (isOurs && setting) faults.push(`${name} has no number: write ${prefix}0_${setting}.`);
      continue;
    }
    const [, number, setting = ''] = match;
    if (!isOurs && !known.includes(setting)) continue;
    const values = byNumber.get(Number(number)) ?? {};
    byNumber.set(Number(number), { ...values, [setting]: value });
  }
  return [...byNumber]
    .sort(([a], [b]) => a - b)
    .map(([number, values]) => ({
      name: `${prefix}${number}_*`,
      values,
      label: (setting) => `${prefix}${number}_${setting}`,
    }));
}

function readDocument(document: unknown, faults: string[]): ProviderSource[] {
  if (document === null || document === undefined) return [];
  if (!isMapping(document)) {
    faults.push('The configuration file must hold a mapping, such as "externalAuthProviders:" with a list.');
    return [];
  }
  for (const key of Object.keys(document)) {
    if (key !== 'externalAuthProviders') {
      faults.push(`${key} is not a setting of the configuration file: it takes externalAuthProviders.`);
    }
  }
  const list = document.externalAuthProviders ?? [];
  if (!Array.isArray(list)) {
    faults.push('externalAuthProviders takes a list.');
    return [];
  }
  return list.flatMap((entry: unknown, index): ProviderSource[] => {
    const name = `externalAuthProviders[${index}]`;
    if (!isMapping(entry)) {
      faults.push(`${name} takes a mapping of settings, such as "type: github".`);
      return [];
    }
    const written = new Map<string, string>();
    const values: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(entry)) {
      if (value === null || value === '') continue;
      // Only lower case is a setting's name: CLIENT_ID and clientId are reported as unknown.
      const setting = YAML_NAMES[key] ?? (/^[a-z_]+$/.test(key) ? key.toUpperCase() : key);
      written.set(setting, key);
      values[setting] = value;
    }
    return [
      {
        name,
        values,
        label: (setting) => `${name}.${written.get(setting) ?? setting.toLowerCase()}`,
      },
    ];
  });
}

function longest(words: string[]): string | undefined {
  return words.sort((a, b) => b.length - a.length)[0];
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

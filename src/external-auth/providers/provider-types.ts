import type { ProviderType } from './provider-type.ts';
import { generic } from './types/generic.ts';

/** Every type with ways of its own. */
export const providerTypes: ProviderType[] = [];

/** The type that TYPE names: anything unknown is generic OAuth 2. */
export function findProviderType(name: string): ProviderType {
  return providerTypes.find(({ names }) => names.includes(name)) ?? generic;
}

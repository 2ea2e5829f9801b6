import { NotFound } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { Provider } from './providers/provider.ts';

/** @throws NotFound */
export function requireProvider({ providers }: Runtime, id: string): Provider {
  const provider = providers.find(id);
  if (!provider) throw new NotFound('The provider', ['input', 'providerId']);
  return provider;
}

import { createContextCache } from '@pothos/core';
import DataLoader from 'dataloader';
import { type GraphQLResolveInfo, Kind, type OperationDefinitionNode, visit } from 'graphql';
import { createOwnedRows } from '../db/owned-rows.ts';
import type { ExternalAuthLink } from '../generated/prisma/client.ts';
import { actorOf, type Context, requireViewer } from '../graphql/context.ts';
import { checkLink, type LinkState } from './link-state.ts';
import { isProviderId } from './provider-registry.ts';
import type { ExternalAccount, Installation } from './providers/provider.ts';

/** The links of users, those first that were linked or renewed last. */
export const ownLinks = createOwnedRows<ExternalAuthLink>({
  model: 'ExternalAuthLink',
  order: 'owned.updated_at DESC, owned.id DESC',
});

// All that follows is request-scoped: what a provider told one request is never shown to another.

/** The viewer's links by their provider. Not cached: a mutation may stand between two reads of one operation. */
const linksByProvider = createContextCache((context: Context) => {
  const { user } = requireViewer(context);
  return new DataLoader(
    async (providerIds: readonly string[]) => {
      const links = await context.runtime.db.externalAuthLink.findMany({
        where: { userId: user.id, providerId: { in: [...providerIds] } },
      });
      const byProvider = new Map(links.map((link) => [link.providerId, link]));
      return providerIds.map((id) => byProvider.get(id) ?? null);
    },
    { cache: false },
  );
});

export function viewerLink(context: Context, providerId: string): Promise<ExternalAuthLink | null> | null {
  return isProviderId(providerId) ? linksByProvider(context).load(providerId) : null;
}

/**
 * What each link's provider says of it, asked once in a request and of all links at once. A provider's answer is
 * not waited for before another's is used: hence promises in the place of results.
 */
const states = createContextCache((_context: Context) => new Map<string, Promise<LinkState>>());

export function linkState(context: Context, link: ExternalAuthLink): Promise<LinkState> {
  // What changed in the middle of an operation, or between two events of a subscription, is asked for anew.
  const key = `${link.id} ${link.updatedAt.getTime()} ${link.accessToken}`;
  const known = states(context).get(key);
  if (known) return known;
  const state = checkLink(context.runtime, actorOf(context), link);
  states(context).set(key, state);
  return state;
}

/** The link as it is after its provider was asked, when the operation asks providers at all; or else as it is. */
export function currentLink(
  context: Context,
  link: ExternalAuthLink,
  info: GraphQLResolveInfo,
): ExternalAuthLink | Promise<ExternalAuthLink> {
  return showsStoredLinks(info) ? link : linkState(context, link).then((state) => state.link);
}

/** @throws ProviderFailure */
export async function linkAccount(context: Context, link: ExternalAuthLink): Promise<ExternalAccount | null> {
  const { authenticated, provider, tokens } = await linkState(context, link);
  return authenticated && provider && tokens ? provider.account(tokens.accessToken) : null;
}

export async function linkInstallations(context: Context, link: ExternalAuthLink): Promise<Installation[]> {
  const { authenticated, provider, tokens } = await linkState(context, link);
  if (!authenticated || !provider || !tokens) return [];
  try {
    return await provider.installations(tokens.accessToken);
  } catch (error) {
    // A list is never null, so there is no place to say it but the log.
    const { log } = context.runtime;
    log.warn({ err: error, requestId: context.requestId }, 'cannot list installations');
    return [];
  }
}

const ASKING_FIELDS = new Set(['authenticated', 'validation', 'validateError', 'account', 'installations']);
const asking = new WeakMap<OperationDefinitionNode, boolean>();

/** Whether links are shown as they are stored, and not as they are after their providers were asked. */
export function showsStoredLinks({ operation, fragments }: GraphQLResolveInfo): boolean {
  return !asksProviders(operation, fragments);
}

/** By the names of the fields alone: no other type has such ones, and asking once too often does no harm. */
function asksProviders(
  operation: OperationDefinitionNode,
  fragments: GraphQLResolveInfo['fragments'],
): boolean {
  const known = asking.get(operation);
  if (known !== undefined) return known;
  let found = false;
  visit(
    { kind: Kind.DOCUMENT, definitions: [operation, ...Object.values(fragments)] },
    {
      Field({ name }) {
        if (ASKING_FIELDS.has(name.value)) found = true;
      },
    },
  );
  asking.set(operation, found);
  return found;
}

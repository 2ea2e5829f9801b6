import * as oauth from 'oauth4webapi';
import type { ProviderSettings } from '../provider-settings.ts';
import type { Outgoing } from './outgoing.ts';
import { ProviderFailure } from './provider.ts';

/** The endpoints that we call, by their names in the metadata of RFC 8414. */
export type EndpointName =
  | 'authorization_endpoint'
  | 'token_endpoint'
  | 'device_authorization_endpoint'
  | 'revocation_endpoint'
  | 'userinfo_endpoint';

const SETTING: Record<EndpointName, string> = {
  authorization_endpoint: 'AUTH_URL',
  token_endpoint: 'TOKEN_URL',
  device_authorization_endpoint: 'DEVICE_CODE_URL',
  revocation_endpoint: 'REVOKE_URL',
  userinfo_endpoint: 'USERINFO_URL',
};

/** What we know of an authorization server. The endpoints that are configured win over those that are discovered. */
export interface Endpoints {
  /** What is known without a call: the configuration, and what an earlier call discovered. */
  known: () => oauth.AuthorizationServer;
  /** Whether calls may go to this origin. */
  isAllowed: (origin: string) => boolean;
  /** The server and its endpoint, discovered when need be, or null when it has none. */
  find: (name: EndpointName) => Promise<Found | null>;
  /** As `find`, but a missing endpoint is a ProviderFailure that names the setting. */
  require: (name: EndpointName) => Promise<Found>;
}

interface Found {
  server: oauth.AuthorizationServer;
  /** A fresh copy, which the caller may change. */
  url: URL;
}

/** How long discovered metadata is trusted. Afterwards it is fetched again, and kept when that fails. */
const METADATA_AGE_MS = 60 * 60 * 1_000;

/**
 * @param send gives the way out; it is asked for late, since it asks `isAllowed` in turn
 */
export function createEndpoints(
  settings: ProviderSettings,
  { clock, send }: { clock: () => Date; send: () => Outgoing },
): Endpoints {
  const configured = definedOnly({
    authorization_endpoint: settings.authUrl,
    token_endpoint: settings.tokenUrl,
    device_authorization_endpoint: settings.deviceCodeUrl,
    revocation_endpoint: settings.revokeUrl,
    userinfo_endpoint: settings.userInfoUrl,
  });
  const configuredOrigins = new Set(
    [
      settings.issuer,
      settings.validateUrl,
      settings.apiBaseUrl,
      settings.appInstallationsUrl,
      ...Object.values(configured),
    ].flatMap((url) => (url ? [new URL(url).origin] : [])),
  );
  // Without a configured issuer oauth4webapi still needs a name for the server.
  const fallbackIssuer = settings.issuer ?? new URL(settings.authUrl ?? 'https://unknown.invalid').origin;

  let discovered: { metadata: oauth.AuthorizationServer; origins: Set<string>; at: number } | null = null;
  let discovery: Promise<void> | null = null;

  const known = (): oauth.AuthorizationServer => ({
    issuer: fallbackIssuer,
    ...discovered?.metadata,
    ...configured,
  });

  async function discover(issuer: string): Promise<void> {
    if (discovered && clock().getTime() - discovered.at < METADATA_AGE_MS) return;
    // Callers share one discovery; a failed one is forgotten, so that the next call tries again.
    discovery ??= discoverServer(new URL(issuer), settings.displayName, send())
      .then((metadata) => {
        const checked = checkDiscovered(metadata, new URL(issuer), settings.displayName);
        discovered = { ...checked, at: clock().getTime() };
      })
      .finally(() => {
        discovery = null;
      });
    try {
      await discovery;
    } catch (error) {
      if (!discovered) throw error;
    }
  }

  async function find(name: EndpointName) {
    if (!configured[name] && settings.issuer) await discover(settings.issuer);
    const server = known();
    const address = server[name];
    return address ? { server, url: new URL(address) } : null;
  }

  return {
    known,
    isAllowed: (origin) => configuredOrigins.has(origin) || (discovered?.origins.has(origin) ?? false),
    find,
    async require(name) {
      const found = await find(name);
      if (found) return found;
      throw new ProviderFailure(
        `${settings.displayName} has no ${name.replaceAll('_', ' ')}. The administrator can set ${SETTING[name]} for "${settings.id}".`,
        { transient: false },
      );
    },
  };
}

/** OpenID Connect Discovery first, then RFC 8414: the former is the more common. */
async function discoverServer(issuer: URL, name: string, send: Outgoing): Promise<oauth.AuthorizationServer> {
  let failure: unknown;
  for (const algorithm of ['oidc', 'oauth2'] as const) {
    const response = await oauth.discoveryRequest(issuer, {
      algorithm,
      [oauth.allowInsecureRequests]: true,
      [oauth.customFetch]: send,
    });
    try {
      return await oauth.processDiscoveryResponse(issuer, response);
    } catch (error) {
      failure ??= error;
    }
  }
  throw new ProviderFailure(
    `${name} does not describe itself at its issuer ${issuer.href}. The administrator should check ISSUER, or set AUTH_URL and TOKEN_URL.`,
    { transient: true, cause: failure },
  );
}

/**
 * An issuer may keep its endpoints on other hosts, as Google does. It may not lower https to http, nor send us to
 * an address inside our own network by its number or as localhost.
 */
function checkDiscovered(metadata: oauth.AuthorizationServer, issuer: URL, name: string) {
  const addresses: Partial<Record<EndpointName, string>> = {};
  const origins = new Set<string>();
  for (const endpoint of Object.keys(SETTING) as EndpointName[]) {
    const address = metadata[endpoint];
    if (address === undefined) continue;
    const url = typeof address === 'string' && URL.canParse(address) ? new URL(address) : null;
    const isSafe =
      url !== null &&
      (url.protocol === 'https:' || (url.protocol === 'http:' && issuer.protocol === 'http:')) &&
      (url.hostname === issuer.hostname || !isNumericOrLocal(url.hostname)) &&
      url.username === '' &&
      url.password === '';
    if (!isSafe) {
      throw new ProviderFailure(
        `${name} describes its ${endpoint} with an address that is not safe to call.`,
        {
          transient: true,
        },
      );
    }
    addresses[endpoint] = address;
    origins.add(url.origin);
  }
  const kept: oauth.AuthorizationServer = {
    issuer: metadata.issuer,
    authorization_response_iss_parameter_supported: metadata.authorization_response_iss_parameter_supported,
    token_endpoint_auth_methods_supported: metadata.token_endpoint_auth_methods_supported,
    ...addresses,
  };
  return { metadata: kept, origins };
}

function isNumericOrLocal(hostname: string): boolean {
  return /^[\d.]+$|^\[|^localhost$|\.localhost$|\.internal$/.test(hostname);
}

function definedOnly(urls: Record<EndpointName, string | null>): Partial<Record<EndpointName, string>> {
  return Object.fromEntries(Object.entries(urls).filter(([, url]) => url !== null));
}

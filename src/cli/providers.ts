import type { Command } from 'commander';
import { type Config, parseConfig } from '../config.ts';
import { type Check, checkProvider } from '../external-auth/check-provider.ts';
import { callbackUrl } from '../external-auth/provider-registry.ts';
import type { ProviderSettings } from '../external-auth/provider-settings.ts';

export function addProvidersCommand(program: Command): void {
  program
    .command('providers')
    .description('Look after the external auth providers of the configuration.')
    .command('check')
    .description('Tell what is configured, what was derived, and whether each provider answers as it should.')
    .option('--json', 'for programs')
    .action(async ({ json }: { json?: boolean }) => {
      const report = await checkProviders(parseConfig(process.env), globalThis.fetch);
      process.stdout.write(`${json ? JSON.stringify(report, null, 2) : printReport(report)}\n`);
      if (report.some(({ checks }) => checks.some(({ outcome }) => outcome === 'wrong')))
        process.exitCode = 1;
    });
}

export interface ProviderReport {
  id: string;
  type: string;
  /** What the operator set it with, such as `EXTERNAL_AUTH_0_*`. */
  source: string;
  /** What to enter at the provider as the callback's address. */
  callbackUrl: string;
  settings: Array<{ name: string; value: string; origin: 'configured' | 'derived' }>;
  checks: Check[];
}

/** Asks all providers at once. */
export async function checkProviders(
  { externalAuth: { providers }, http: { publicUrl } }: Config,
  fetch: typeof globalThis.fetch,
): Promise<ProviderReport[]> {
  return Promise.all(
    providers.map(async (settings) => {
      const redirectUri = callbackUrl(publicUrl, settings.id);
      return {
        id: settings.id,
        type: settings.type,
        source: settings.source,
        callbackUrl: redirectUri,
        settings: listSettings(settings),
        checks: await checkProvider(settings, { fetch, clock: () => new Date(), redirectUri }),
      };
    }),
  );
}

/** What an administrator compares with the provider's own pages. The client secret is not among it. */
function listSettings(settings: ProviderSettings): ProviderReport['settings'] {
  const shown: Array<[string, string | null]> = [
    ['CLIENT_ID', settings.clientId],
    ['ISSUER', settings.issuer],
    ['AUTH_URL', settings.authUrl],
    ['TOKEN_URL', settings.tokenUrl],
    ['DEVICE_CODE_URL', settings.deviceCodeUrl],
    ['VALIDATE_URL', settings.validateUrl],
    ['REVOKE_URL', settings.revokeUrl],
    ['USERINFO_URL', settings.userInfoUrl],
    ['API_BASE_URL', settings.apiBaseUrl],
    ['APP_INSTALLATIONS_URL', settings.appInstallationsUrl],
    ['SCOPES', settings.scopes.join(' ')],
    ['PKCE_METHODS', settings.pkce ? 'S256' : 'none'],
    ['REGEX', settings.regex?.source ?? null],
  ];
  return shown.flatMap(([name, value]) =>
    value ? [{ name, value, origin: settings.written.includes(name) ? 'configured' : 'derived' }] : [],
  );
}

const SIGNS: Record<Check['outcome'], string> = { ok: '✓', wrong: '✗', skipped: '–' };

export function printReport(report: ProviderReport[]): string {
  if (report.length === 0) return 'No provider is configured: set EXTERNAL_AUTH_0_TYPE and its companions.';
  return report
    .map(({ id, type, source, callbackUrl, settings, checks }) =>
      [
        `${id} (${type}, from ${source})`,
        `  callback to enter at the provider: ${callbackUrl}`,
        ...settings.map(
          ({ name, value, origin }) =>
            `  ${name.padEnd(22)}${value}${origin === 'derived' ? '   (derived)' : ''}`,
        ),
        ...checks.map(({ what, outcome, detail }) => `  ${SIGNS[outcome]} ${what.padEnd(20)}${detail}`),
      ].join('\n'),
    )
    .join('\n\n');
}

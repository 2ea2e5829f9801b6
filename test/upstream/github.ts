import { randomUUID } from 'node:crypto';
import { form, json, type Stub, type StubRequest, startStub, status } from './stub.ts';

/** As much of GitHub as account linking sees, with its own ways: errors have status 200, refresh tokens serve once. */
export interface GitHubStub extends Stub {
  clientId: string;
  clientSecret: string;
  /** The environment that makes a gateway use it as provider `id`. */
  env: (n: number, id: string, more?: Record<string, string>) => Record<string, string>;
  /** Acts as the user on the web: the code of a web flow. */
  grantCode: () => string;
  /** Acts as the user on the web: approves all device codes. */
  approveDevices: () => void;
  /** The access tokens that work now. */
  liveTokens: Set<string>;
}

export async function startGitHub(): Promise<GitHubStub> {
  const clientId = 'Iv1.0123456789abcdef';
  const clientSecret = 'github-client-secret-0123456789abcdef';
  const stub = await startStub();
  const liveTokens = new Set<string>();
  const refreshTokens = new Set<string>();
  const codes = new Set<string>();
  const devices = new Map<string, boolean>();

  /** A form, as from the field's beginnings, unless JSON is asked for. Always with status 200. */
  const answer = ({ headers }: StubRequest, fields: Record<string, string>) =>
    headers.accept?.includes('application/json') ? json(fields) : form(fields);

  function issue(): Record<string, string> {
    const accessToken = `ghu_${randomUUID()}`;
    const refreshToken = `ghr_${randomUUID()}`;
    liveTokens.add(accessToken);
    refreshTokens.add(refreshToken);
    return {
      access_token: accessToken,
      expires_in: '28800',
      refresh_token: refreshToken,
      refresh_token_expires_in: '15811200',
      scope: '',
      token_type: 'bearer',
    };
  }

  function tokenAnswer({ form: fields }: StubRequest): Record<string, string> {
    if (fields.client_id !== clientId || fields.client_secret !== clientSecret) {
      return {
        error: 'incorrect_client_credentials',
        error_description: 'The client_id and/or client_secret passed are incorrect.',
      };
    }
    if (fields.grant_type === 'refresh_token') {
      return refreshTokens.delete(fields.refresh_token ?? '')
        ? issue()
        : {
            error: 'bad_refresh_token',
            error_description: 'The refresh token passed is incorrect or expired.',
          };
    }
    if (fields.grant_type === 'urn:ietf:params:oauth:grant-type:device_code') {
      const isApproved = devices.get(fields.device_code ?? '');
      if (isApproved === undefined) return { error: 'incorrect_device_code' };
      return isApproved ? issue() : { error: 'authorization_pending' };
    }
    return codes.delete(fields.code ?? '')
      ? issue()
      : { error: 'bad_verification_code', error_description: 'The code passed is incorrect or expired.' };
  }

  stub.on('POST /login/oauth/access_token', (response, request) =>
    answer(request, tokenAnswer(request))(response, request),
  );
  stub.on('POST /login/device/code', (response, request) => {
    const deviceCode = randomUUID();
    devices.set(deviceCode, false);
    answer(request, {
      device_code: deviceCode,
      user_code: 'WDJB-MJHT',
      verification_uri: `${stub.origin}/login/device`,
      expires_in: '900',
      interval: '5',
    })(response, request);
  });
  const account = {
    id: 583231,
    login: 'octocat',
    name: 'The Octocat',
    avatar_url: 'https://avatars.githubusercontent.com/u/583231',
    html_url: 'https://github.com/octocat',
  };
  const bearer = ({ headers }: StubRequest) => headers.authorization?.replace(/^Bearer /, '') ?? '';
  stub.on('GET /api/v3/user', (response, request) =>
    liveTokens.has(bearer(request))
      ? json(account)(response, request)
      : json({ message: 'Bad credentials' }, 401)(response, request),
  );
  stub.on(
    'GET /api/v3/user/installations',
    json({
      total_count: 1,
      installations: [
        {
          id: 25381,
          account: { ...account, id: 1, login: 'acme', name: undefined },
          html_url: 'https://github.com/organizations/acme/settings/installations/25381',
        },
      ],
    }),
  );
  stub.on(`DELETE /api/v3/applications/${clientId}/grant`, (response, request) => {
    const credentials = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
    if (request.headers.authorization !== `Basic ${credentials}`) return status(401)(response, request);
    const { access_token: token } = JSON.parse(request.body || '{}') as { access_token?: string };
    return status(liveTokens.delete(token ?? '') ? 204 : 404)(response, request);
  });

  return {
    ...stub,
    clientId,
    clientSecret,
    liveTokens,
    env: (n, id, more = {}) =>
      Object.fromEntries(
        Object.entries({
          ID: id,
          TYPE: 'github',
          CLIENT_ID: clientId,
          CLIENT_SECRET: clientSecret,
          AUTH_URL: `${stub.origin}/login/oauth/authorize`,
          DEVICE_FLOW: 'true',
          ...more,
        }).map(([key, value]) => [`EXTERNAL_AUTH_${n}_${key}`, value]),
      ),
    grantCode() {
      const code = randomUUID();
      codes.add(code);
      return code;
    },
    approveDevices() {
      for (const code of devices.keys()) devices.set(code, true);
    },
  };
}

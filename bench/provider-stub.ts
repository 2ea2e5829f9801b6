import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An OAuth provider that answers at once, or, when it is told to, not at all. */
export interface ProviderStub {
  /** Such as `http://127.0.0.1:43210`. */
  origin: string;
  hang: () => void;
  /** Answers again, also those who wait. */
  recover: () => void;
  /** The most calls that waited for an answer at once since this was last asked. */
  mostWaiting: () => number;
  close: () => void;
}

/** Of its tokens, in seconds: so few that each counts as expired when it comes, and is renewed at the next use. */
const TOKEN_LIFE_S = 5;

export async function startProviderStub(): Promise<ProviderStub> {
  const waiting = new Set<ServerResponse>();
  let isHanging = false;
  let most = 0;
  let serial = 0;

  const answer = (response: ServerResponse) => {
    serial += 1;
    // The same for the token endpoint and for whoever validates: the status is all that counts there.
    response.writeHead(200, { 'content-type': 'application/json' }).end(
      JSON.stringify({
        access_token: `access-${serial}`,
        refresh_token: `refresh-${serial}`,
        token_type: 'bearer',
        expires_in: TOKEN_LIFE_S,
      }),
    );
  };
  const server = createServer((request, response) => {
    request.resume();
    if (!isHanging) return answer(response);
    waiting.add(response);
    most = Math.max(most, waiting.size);
    response.once('close', () => waiting.delete(response));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hang() {
      isHanging = true;
    },
    recover() {
      isHanging = false;
      for (const response of waiting) answer(response);
    },
    mostWaiting() {
      const result = most;
      most = waiting.size;
      return result;
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

import { Server as HttpServer, type ServerResponse } from 'node:http';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import { serve } from '@hono/node-server';
import type { App } from '../app.ts';
import type { Config } from '../config.ts';
import { OperatorError } from '../errors.ts';

export interface Listener {
  /** The real one, also when the configuration asked for any. */
  port: number;
  /**
   * Stops taking connections, lets the requests in flight finish, and ends what is idle.
   *
   * @param ms how long to wait for them
   * @returns the number of connections that were cut off after that
   */
  close: (ms: number) => Promise<number>;
}

const SERVER_OPTIONS = {
  // Longer than load balancers keep idle connections (60 s): whoever ends one first must not be us, while a request
  // is on its way.
  keepAliveTimeout: 65_000,
  // A client that sends its request drop by drop holds nothing for longer.
  headersTimeout: 20_000,
  requestTimeout: 60_000,
};

/** How often a closing server looks for connections that have become idle. */
const SWEEP_MS = 250;

/** @throws OperatorError when the address is taken or is none of this machine's */
export async function listen({ host, port }: Config['http'], fetch: App['fetch']): Promise<Listener> {
  const server = await new Promise<HttpServer>((resolve, reject) => {
    const made = serve(
      { fetch: answerTogether(fetch), port, hostname: host, serverOptions: SERVER_OPTIONS },
      () => resolve(made as HttpServer),
    );
    made.once('error', (error) => reject(explain(error, host, port)));
  });

  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const unanswered = new Set<ServerResponse>();
  server.prependListener('request', (_request, response: ServerResponse) => {
    if (!server.listening) endConnectionWith(response);
    unanswered.add(response);
    response.once('close', () => unanswered.delete(response));
  });

  return {
    port: (server.address() as AddressInfo).port,
    async close(ms) {
      // Only the listening ends here. The server's own close() would at once end idle connections, too, on which a
      // client may be sending its next request: that one is still answered, with "Connection: close".
      const closed = new Promise((done) => NetServer.prototype.close.call(server, done));
      for (const response of unanswered) endConnectionWith(response);
      const sweep = setInterval(() => {
        server.closeIdleConnections();
        // Browsers open connections before they need them.
        for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      }, SWEEP_MS);
      let cutOff = 0;
      const deadline = setTimeout(() => {
        cutOff = sockets.size;
        server.closeAllConnections();
      }, ms);
      await closed;
      clearInterval(sweep);
      clearTimeout(deadline);
      // Ends the server's own timer.
      HttpServer.prototype.close.call(server);
      return cutOff;
    },
  };
}

/**
 * Holds answers back until the end of the event loop's turn, and so sends those of a turn one right after the other.
 * A reader on the same machine, as a proxy often is, has to be woken for each that is sent alone, which takes as long as
 * a small query; the first of several wakes it for all.
 */
function answerTogether(fetch: App['fetch']): App['fetch'] {
  let endOfTurn: Promise<void> | undefined;
  return async (request) => {
    const response = await fetch(request);
    endOfTurn ??= new Promise((resolve) =>
      setImmediate(() => {
        endOfTurn = undefined;
        resolve();
      }),
    );
    await endOfTurn;
    return response;
  };
}

/** Tells a client to make a new connection for its next request, which then reaches somebody else. */
function endConnectionWith(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('connection', 'close');
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): Error {
  switch (error.code) {
    case 'EADDRINUSE':
      return new OperatorError(
        `Port ${port} on ${host} is taken by another program, perhaps another gateway. Stop it, or set PORT to another number (0 takes any free one).`,
      );
    case 'EACCES':
      return new OperatorError(`Port ${port} is not allowed to this user. Set PORT to 1024 or more.`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new OperatorError(
        `HOST is ${host}, which is no address of this machine. Set it to 127.0.0.1, or to 0.0.0.0 to be reached from other machines.`,
      );
    default:
      return error;
  }
}

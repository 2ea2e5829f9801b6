import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A provider that misbehaves on demand. */
export interface Stub {
  /** Such as `http://127.0.0.1:43210`. */
  origin: string;
  requests: StubRequest[];
  /** How many requests came for a route, such as `POST /token`. */
  count: (route: string) => number;
  /**
   * Sets how a route answers: one behaviour for each request, the last one for all that follow. The route `*` is any
   * that nothing was set for.
   */
  on: (route: string, ...behaviours: [Behaviour, ...Behaviour[]]) => void;
  close: () => Promise<void>;
}

export interface StubRequest {
  method: string;
  /** With its query. */
  path: string;
  headers: Record<string, string>;
  body: string;
  /** The body's fields, when it is a form. */
  form: Record<string, string>;
}

/** How one request is answered. */
export type Behaviour = (response: ServerResponse, request: StubRequest) => void;

export async function startStub({ port = 0 }: { port?: number } = {}): Promise<Stub> {
  const routes = new Map<string, Behaviour[]>();
  const requests: StubRequest[] = [];
  const server = createServer(async (incoming, response) => {
    const request = await readRequest(incoming);
    requests.push(request);
    const behaviours = routes.get(routeOf(request)) ?? routes.get('*') ?? [status(404)];
    const behaviour = behaviours.length > 1 ? behaviours.shift() : behaviours[0];
    behaviour?.(response, request);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.unref();
      resolve();
    });
  });
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    count: (route) => requests.filter((request) => routeOf(request) === route).length,
    on: (route, ...behaviours) => void routes.set(route, [...behaviours]),
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

export function json(body: unknown, code = 200, headers: Record<string, string> = {}): Behaviour {
  return (response) =>
    response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

export function form(fields: Record<string, string>, code = 200): Behaviour {
  return (response) =>
    response
      .writeHead(code, { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' })
      .end(new URLSearchParams(fields).toString());
}

export function text(body: string, code = 200, contentType = 'text/html'): Behaviour {
  return (response) => response.writeHead(code, { 'content-type': contentType }).end(body);
}

export function status(code: number, headers: Record<string, string> = {}): Behaviour {
  return (response) => response.writeHead(code, headers).end();
}

export function redirect(to: string, code = 302): Behaviour {
  return status(code, { location: to });
}

/** Answers as `then`, but late. */
export function late(ms: number, then: Behaviour): Behaviour {
  return (response, request) => void setTimeout(then, ms, response, request).unref();
}

/** Takes the request and never answers. */
export function hang(): Behaviour {
  return () => {};
}

/** Cuts the connection instead of an answer. */
export function cut(): Behaviour {
  return (response) => response.destroy();
}

/** Cuts the connection in the middle of the body. */
export function cutBody(): Behaviour {
  return (response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
    response.write('{"access_token":', () => response.destroy());
  };
}

/** An answer without end, as fast as it is read. */
export function flood(): Behaviour {
  const chunk = Buffer.alloc(65_536, 0x20);
  return (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const pour = () => {
      while (response.writable && response.write(chunk));
    };
    response.on('drain', pour);
    pour();
  };
}

/** A body that comes byte by byte and never ends. */
export function drip(): Behaviour {
  return (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const timer = setInterval(() => response.write(' '), 20).unref();
    response.on('close', () => clearInterval(timer));
  };
}

function routeOf({ method, path }: StubRequest): string {
  return `${method} ${path.replace(/\?.*$/, '')}`;
}

async function readRequest(incoming: IncomingMessage): Promise<StubRequest> {
  let body = '';
  for await (const chunk of incoming) body += chunk;
  const headers = Object.fromEntries(
    Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
  );
  const isForm = headers['content-type']?.startsWith('application/x-www-form-urlencoded');
  return {
    method: incoming.method ?? 'GET',
    path: incoming.url ?? '/',
    headers,
    body,
    form: isForm ? Object.fromEntries(new URLSearchParams(body)) : {},
  };
}

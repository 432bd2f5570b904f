// A line of HTTP on which things go wrong when they are told to.
import http from 'node:http';
import { buffer } from 'node:stream/consumers';

/** Passes requests on, `host` included, as it is signed. `meet` says what becomes of each, a JSON body read already:
    nothing (it passes), `cut` (the line breaks while it is sent), `answer` (that, and it gets no further), `lose` (it
    gets there, its answer does not come back) or `hold` (it stands still). */
export async function proxy(upstream, port, meet) {
  const { hostname, port: upstreamPort } = new URL(upstream);
  const server = http.createServer(async (request, response) => {
    const isJson = request.headers['content-type'] === 'application/json';
    const body = isJson ? await buffer(request) : null;
    const fate = meet(request, response, body && JSON.parse(body)) ?? {};
    if (fate.hold) {
      // Read, so that it is seen when the other side goes.
      request.resume();
      return;
    }
    if (fate.cut) {
      request.once('data', () => request.destroy());
      return;
    }
    if (fate.answer) {
      const { status, headers, body } = fate.answer;
      request.resume();
      response.writeHead(status, headers).end(body);
      return;
    }
    const { method, url, headers } = request;
    const passed = http.request({ hostname, port: upstreamPort, method, path: url, headers }, (answer) => {
      fate.seen?.(answer.statusCode);
      if (fate.lose) {
        answer.resume().on('end', () => response.destroy());
        return;
      }
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    passed.on('error', () => response.destroy());
    if (body) passed.end(body);
    else request.pipe(passed);
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

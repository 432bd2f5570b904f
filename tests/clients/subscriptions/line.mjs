// A line to the server that can be cut: TCP to TCP.
import net from 'node:net';

export async function line(port) {
  const open = new Set();
  const server = net.createServer((client) => {
    const upstream = net.connect(port, '127.0.0.1');
    for (const [socket, other] of [[client, upstream], [upstream, client]]) {
      open.add(socket);
      socket.pipe(other);
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: server.address().port,
    /** Every connection breaks, as when a train enters a tunnel; new ones are taken. */
    cut() {
      for (const socket of open) socket.destroy();
    },
    close() {
      server.close();
      this.cut();
    },
  };
}

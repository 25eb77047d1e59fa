import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';

/** Connections to one origin that know whether they ever stood. */
export interface Connection {
  agent: HttpAgent;
  /**
   * Whether a connection (over https: a trusted one) stood at any time. While it did not, not one byte of a request can
   * have been sent: not found, refused, no route, a wrong certificate and too slow a handshake all look like this.
   */
  stood(): boolean;
}

/** Makes an agent that gives up connecting after `connectMs`. The caller destroys it. */
export function connectionTo(baseUrl: string, options: { keepAlive: boolean; connectMs: number }): Connection {
  const secure = new URL(baseUrl).protocol === 'https:';
  const settings = { keepAlive: options.keepAlive, maxSockets: 32 };
  const agent = secure ? new HttpsAgent(settings) : new HttpAgent(settings);
  const connect = agent.createConnection.bind(agent);
  let stood = false;
  agent.createConnection = (target, callback) => {
    const socket = connect(target, callback);
    if (socket) watch(socket, secure ? 'secureConnect' : 'connect', options.connectMs, () => (stood = true));
    return socket;
  };
  return { agent, stood: () => stood };
}

function watch(socket: Duplex, readyEvent: string, connectMs: number, onReady: () => void): void {
  const timer = setTimeout(() => socket.destroy(new Error('no connection in time')), connectMs);
  socket.once(readyEvent, () => {
    clearTimeout(timer);
    onReady();
  });
  socket.once('close', () => clearTimeout(timer));
}

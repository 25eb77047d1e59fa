import { setTimeout as delay } from 'node:timers/promises';
import { hasEnded } from './postgres-home.pg.js';
import type { Server } from './postgres-launch.pg.js';

export interface Keeping {
  /** Starts the server again, or adopts the one that somebody else has started; on the same port, or it throws. */
  restart: (signal: AbortSignal) => Promise<Server>;
  log: (message: string, level: 'info' | 'warn') => void;
  /** Told once, when there is no more hope. */
  onLost: (error: Error) => void;
}

/** The server runs, but where our connections do not look for it. */
export class ServerMoved extends Error {
  constructor(from: number, to: number) {
    super(`PostgreSQL was started by another process on port ${to} instead of ${from}`);
    this.name = 'ServerMoved';
  }
}

const lookEveryMs = 1000;
/** A server that ends sooner than this after its start counts as one that did not start. */
const provenAfterMs = 5000;
const failuresAtMost = 5;
const firstPauseMs = 200;

/**
 * Watches a server and starts it again when it dies. It tries at once, then with pauses that double; after five
 * failures in a row it gives up.
 */
export class Keeper {
  private readonly stopping = new AbortController();
  private readonly work: Promise<void>;
  private failures = 0;
  private over = false;

  constructor(
    server: Server,
    private readonly keeping: Keeping,
  ) {
    this.work = this.keep(server).finally(() => (this.over = true));
  }

  /**
   * Ends the watch. A start in hand is undone by `stopServer`, called until the watch is over: until a new server has
   * written its pid file there is nothing to stop.
   */
  async end(stopServer: () => Promise<void>): Promise<void> {
    this.stopping.abort();
    while (!(await Promise.race([this.work.then(() => true), delay(50, this.over)]))) await stopServer();
  }

  private async keep(first: Server): Promise<void> {
    for (let server: Server | null = first; server; server = await this.revived()) {
      const since = performance.now();
      await this.endOf(server);
      if (this.stopping.signal.aborted) return;
      this.keeping.log(`PostgreSQL (process ${server.pid}) has ended unasked; it is started again`, 'warn');
      if (performance.now() - since > provenAfterMs) this.failures = 0;
      else if (this.failed(new Error('PostgreSQL ends soon after each start'))) return;
    }
  }

  /** Resolves when the server is gone, or the watch is over. Keeps no process alive. */
  private async endOf({ pid, ended }: Server): Promise<void> {
    const { signal } = this.stopping;
    if (ended && !signal.aborted) {
      await Promise.race([ended, new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))]);
    }
    while (!signal.aborted && !(await hasEnded(pid))) {
      await delay(lookEveryMs, null, { ref: false, signal }).catch(() => undefined);
    }
  }

  /** The server, started again; null when the watch is over or all was in vain. */
  private async revived(): Promise<Server | null> {
    const { signal } = this.stopping;
    for (;;) {
      const pauseMs = this.failures === 0 ? 0 : firstPauseMs * 2 ** (this.failures - 1);
      await delay(pauseMs, null, { signal }).catch(() => undefined);
      if (signal.aborted) return null;
      const began = performance.now();
      try {
        const server = await this.keeping.restart(signal);
        this.keeping.log(`PostgreSQL is back after ${Math.round(performance.now() - began)} ms`, 'info');
        return server;
      } catch (error) {
        if (this.stopping.signal.aborted || this.failed(error)) return null;
      }
    }
  }

  /** Counts a failure. True when it was the last: nothing more is tried. */
  private failed(error: unknown): boolean {
    this.failures += 1;
    const reason = error instanceof Error ? error : new Error(String(error));
    const lost = this.failures >= failuresAtMost || reason instanceof ServerMoved;
    if (lost) this.keeping.onLost(reason);
    else
      this.keeping.log(
        `PostgreSQL does not stay up (${this.failures} of ${failuresAtMost}): ${reason.message}`,
        'warn',
      );
    return lost;
  }
}

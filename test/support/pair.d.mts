/** One of the two servers. */
export interface PairedServer {
  readonly url: string;
  readonly port: number;
  start(settings?: Record<string, string>): Promise<void>;
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export interface Pair {
  readonly primary: PairedServer;
  readonly standby: PairedServer;
  stop(): Promise<void>;
}

export function query(url: string, text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
export function startPair(
  directory: string,
  options?: { synchronous?: boolean; settings?: Record<string, string> },
): Promise<Pair>;

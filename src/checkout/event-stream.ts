/** The connection that a stream is written to: of an HTTP response, what is needed here. */
export interface Sink {
  /** Bytes that were written and that the connection has not taken. */
  readonly writableLength: number;
  write(chunk: Buffer, taken: () => void): unknown;
  end(): unknown;
  destroy(): unknown;
}

/** What may wait for a reader, bytes, before more comes; beyond it the reader is given up. */
export const queuedAtMost = 64 * 1024;

const heartbeat = Buffer.from(':\n\n');

/**
 * One event of a stream (HTML Standard, section 9.2). Its id is a number, so that no text of anybody's can end the line
 * that it stands on; every line of the data gets a field of its own.
 */
export function eventMessage(name: 'payment', id: number, data: string): Buffer {
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return Buffer.from(`event: ${name}\nid: ${String(id)}\n${lines.join('')}\n`);
}

/**
 * A stream of server-sent events to one reader. A reader who does not read is cut off: he loses nothing, since the next
 * stream begins with what is then.
 */
export class EventStream {
  private taken = true;
  private age = 0;

  /** `beats`: after how many heartbeats the stream ends, so that no connection is kept for ever. */
  constructor(
    private readonly sink: Sink,
    private readonly beats: number,
  ) {}

  /** Tells the reader how long to wait before he asks again, once this stream has ended. */
  begin(retryMs: number): void {
    this.send(Buffer.from(`retry: ${String(retryMs)}\n\n`));
  }

  send(message: Buffer): void {
    if (this.sink.writableLength > queuedAtMost) this.sink.destroy();
    else this.sink.write(message, this.onTaken);
  }

  /**
   * To be called at even times. Keeps proxies from taking the stream for dead; ends it at its age; cuts off a reader who
   * has taken nothing between two beats while something waited for him.
   */
  beat(): void {
    const stuck = this.sink.writableLength > 0 && !this.taken;
    this.taken = false;
    if (stuck) this.sink.destroy();
    else if (++this.age >= this.beats) this.end();
    else this.send(heartbeat);
  }

  /** Ends it now. What a slow reader has not taken yet is not waited for. */
  end(): void {
    if (this.sink.writableLength > 0) this.sink.destroy();
    else this.sink.end();
  }

  private readonly onTaken = (): void => {
    this.taken = true;
  };
}

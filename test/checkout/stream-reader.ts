import { connect, type Socket } from 'node:net';

/** One event of a stream, and when it came (performance.now(), ms). */
export interface Told {
  event: string;
  id: string;
  data: string;
  at: number;
}

/** A reader of a live stream, over a connection of its own. */
export interface StreamReader {
  status: number;
  headers: Record<string, string>;
  /** The body where it is no stream. */
  text: () => string;
  told: Told[];
  /** Lines that are comments, and the last `retry`. */
  comments: () => number;
  retry: () => number | null;
  /** Resolves when the other side has ended the connection. */
  ended: Promise<void>;
  socket: Socket;
  close: () => void;
}

/** Opens `path` as an EventSource would; resolves with the head of the answer. */
export async function readStream(
  base: string,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<StreamReader> {
  const { hostname, port } = new URL(base);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  const sent = { host: `${hostname}:${port}`, accept: 'text/event-stream', ...headers };
  const lines = Object.entries(sent).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const body = new Body();
  const head = await new Promise<string>((resolve, reject) => {
    let bytes = '';
    let isBody = false;
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the connection was closed before an answer')));
    socket.setEncoding('latin1').on('data', (text: string) => {
      if (isBody) return body.take(text);
      bytes += text;
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      isBody = true;
      resolve(bytes.slice(0, end));
      body.take(bytes.slice(end + 4));
    });
  });
  const [first = '', ...rest] = head.split('\r\n');
  return {
    status: Number(first.split(' ')[1]),
    headers: Object.fromEntries(rest.map((line) => [line.split(': ')[0]?.toLowerCase(), line.split(': ')[1]])),
    text: () => body.text,
    told: body.told,
    comments: () => body.comments,
    retry: () => body.retry,
    ended,
    socket,
    close: () => socket.destroy(),
  };
}

/** Takes chunks apart, and then the fields of events (HTML Standard, section 9.2.6). */
class Body {
  text = '';
  comments = 0;
  retry: number | null = null;
  readonly told: Told[] = [];
  private raw = '';
  private open = '';

  take(bytes: string): void {
    this.raw += bytes;
    for (;;) {
      const [whole, length = ''] = /^([0-9a-f]+)\r\n/i.exec(this.raw) ?? [];
      if (whole === undefined) {
        if (!/^[0-9a-f]*\r?$/i.test(this.raw)) [this.text, this.raw] = [this.text + this.raw, ''];
        return;
      }
      const end = whole.length + parseInt(length, 16);
      if (this.raw.length < end + 2) return;
      this.read(Buffer.from(this.raw.slice(whole.length, end), 'latin1').toString());
      this.raw = this.raw.slice(end + 2);
    }
  }

  private read(text: string): void {
    this.open += text;
    const blocks = this.open.split('\n\n');
    this.open = blocks.pop() ?? '';
    for (const block of blocks) this.readBlock(block.split('\n'));
  }

  private readBlock(lines: readonly string[]): void {
    const values = (name: string): string[] =>
      lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
    this.comments += lines.filter((line) => line.startsWith(':')).length;
    const [retry] = values('retry');
    if (retry !== undefined) this.retry = Number(retry);
    const data = values('data');
    if (data.length === 0) return;
    const [event = 'message'] = values('event');
    this.told.push({ event, id: values('id').join(), data: data.join('\n'), at: performance.now() });
  }
}

import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Payment, Payout } from './ledger.js';

/** One line of the state file: the whole record, or its removal. The last line about an id holds. */
export type JournalLine =
  | { kind: 'payment'; id: string; value: Payment | null }
  | { kind: 'payout'; id: string; value: Payout | null }
  | { kind: 'sequence'; value: number }
  | { kind: 'clock'; value: number }
  | { kind: 'reset' };

const header = '{"kind":"finality-sandbox","version":1}';
const smallestRewriteBytes = 4 * 1024 * 1024;

/**
 * The sandbox's memory on disk: JSON lines, appended before a request is answered, so that a process that is killed
 * forgets nothing it has said. The file is rewritten (temporary file, then rename) at each start and when it has grown
 * to several times what is alive. With no file, nothing is kept.
 */
export class Journal {
  private readonly waiting = new Map<string, JournalLine>();
  private bytes = 0;
  private rewriteAt = smallestRewriteBytes;
  private scheduled: NodeJS.Immediate | undefined;

  /** `snapshot` gives everything that is alive, for a rewrite. */
  constructor(
    private readonly file: string | null,
    private readonly snapshot: () => Iterable<JournalLine>,
    private readonly failed: (error: unknown) => void = () => undefined,
  ) {}

  put(line: JournalLine): void {
    if (this.file === null) return;
    const key = 'id' in line ? `${line.kind} ${line.id}` : line.kind;
    // Deleted first, so that lines stand in the order in which they were last put (a reset spares what came after it).
    this.waiting.delete(key);
    this.waiting.set(key, line);
    this.scheduled ??= setImmediate(() => this.flushQuietly());
  }

  /** Writes what has changed. Called before each answer, and by itself at the end of the current turn. */
  flush(): void {
    if (this.scheduled) clearImmediate(this.scheduled);
    this.scheduled = undefined;
    if (this.file === null || this.waiting.size === 0) return;
    const text = [...this.waiting.values()].map((line) => `${JSON.stringify(line)}\n`).join('');
    appendFileSync(this.file, text, { mode: 0o600 });
    this.waiting.clear();
    this.bytes += Buffer.byteLength(text);
    if (this.bytes > this.rewriteAt) this.rewrite();
  }

  /** With nobody to tell but the log: the lines stay, and go out with the next flush. */
  private flushQuietly(): void {
    try {
      this.flush();
    } catch (error) {
      this.failed(error);
    }
  }

  /** Replaces the file by what is alive now. */
  rewrite(): void {
    if (this.file === null) return;
    mkdirSync(dirname(this.file), { recursive: true });
    const temporary = `${this.file}.tmp`;
    const handle = openSync(temporary, 'w', 0o600);
    try {
      let size = writeSync(handle, `${header}\n`);
      for (const line of this.snapshot()) size += writeSync(handle, `${JSON.stringify(line)}\n`);
      fsyncSync(handle);
      this.bytes = size;
    } finally {
      closeSync(handle);
    }
    renameSync(temporary, this.file);
    this.waiting.clear();
    this.rewriteAt = Math.max(smallestRewriteBytes, this.bytes * 4);
  }
}

/** Reads a state file; an absent one is empty. A line that was cut off by a crash is left out. Throws where it is another file. */
export function* readJournal(file: string | null): Generator<JournalLine> {
  if (file === null || !existsSync(file)) return;
  const [first, ...lines] = readFileSync(file, 'utf8').split('\n');
  if (first !== header)
    throw new Error(`${file} is not a state file of the sandbox gateway; move it away or name another`);
  for (const line of lines) {
    const parsed = parseLine(line);
    if (parsed) yield parsed;
  }
}

function parseLine(line: string): JournalLine | null {
  if (line === '') return null;
  try {
    return JSON.parse(line) as JournalLine;
  } catch {
    return null;
  }
}

/**
 * How far, in milliseconds, the shared clock had been moved when the state file was written; 0 without one. The main
 * process starts its clock with it, so that a restarted sandbox does not fall back in time.
 */
export function readClockOffset(stateFile: string | null): number {
  let offset = 0;
  for (const line of readJournal(stateFile)) if (line.kind === 'clock') offset = line.value;
  return offset;
}

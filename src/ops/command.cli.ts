import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { Command } from 'commander';
import type { Workspace } from './workspace.pg.js';

/** What a command ends with; those above 1 after sysexits.h, and 128 and the signal's number as shells have it. */
export const exitCodes = {
  failed: 1,
  usage: 64,
  wrongData: 65,
  /** Another operator is at it; try again later. */
  busy: 75,
  wrongConfiguration: 78,
  interrupted: 130,
  brokenPipe: 141,
} as const;

/**
 * What a command tells: lines for people, or one JSON value; `streamed` where it has written its result by itself.
 * `ok`: whether all is well; the command ends with 1 where it is not.
 */
export type Report = { ok: boolean; text: string; json: unknown } | { ok: boolean; streamed: true };

/** Runs a command with the workspace that it needs, prints its report, and closes the workspace. */
export type Run = (
  options: { json?: boolean },
  command: (workspace: Workspace, terminal: Terminal) => Promise<Report>,
) => Promise<void>;

/** The operator stopped the command, or whoever read its result went away. What was done so far is whole. */
export class Interrupted extends Error {
  constructor(readonly exitCode: number) {
    super(exitCode === exitCodes.brokenPipe ? 'nobody reads the result any more' : 'stopped');
    this.name = 'Interrupted';
  }
}

const quietMs = 2000;
const everyMs = 1000;

/** How far a long piece of work has come. It is told on standard error once the work takes longer than two seconds. */
export interface Progress {
  /** `total` null where it is not known. */
  update(done: number, total: number | null): void;
  /** The last line: how much was done, and how fast. */
  end(): void;
}

/** Standard output for the result, standard error for everything else. */
export class Terminal {
  private readonly stopping = new AbortController();

  constructor(
    private readonly out: Writable,
    private readonly err: Writable & { isTTY?: boolean },
  ) {
    out.on('error', () => {
      this.stop(exitCodes.brokenPipe);
    });
    err.on('error', () => undefined);
  }

  /** Aborted when the command is to stop; what listens to it ends at its next safe point. */
  get signal(): AbortSignal {
    return this.stopping.signal;
  }

  stop(exitCode: number): void {
    this.stopping.abort(new Interrupted(exitCode));
  }

  /** Throws `Interrupted` where the command is to stop: to be called between two steps that are whole in themselves. */
  checkpoint(): void {
    this.signal.throwIfAborted();
  }

  /** Writes a piece of the result; waits while its reader is slow. Throws `Interrupted`. */
  async write(text: string): Promise<void> {
    this.checkpoint();
    if (!this.out.write(text)) await once(this.out, 'drain', { signal: this.signal }).catch(() => undefined);
    this.checkpoint();
  }

  /** A line beside the result. */
  note(line: string): void {
    this.err.write(`${printable(line)}\n`);
  }

  /** Begins to tell of a piece of work; `name` says of what, `unit` in what it is counted. */
  progress(name: string, unit: string): Progress {
    const began = performance.now();
    let shownAt = began + quietMs - everyMs;
    let last = { done: 0, total: null as number | null };
    const rate = (): number => (last.done * 1000) / Math.max(performance.now() - began, 1);
    const show = (line: string): void => {
      this.err.write(this.err.isTTY ? `\r\u001b[K${printable(line)}` : `${printable(line)}\n`);
    };
    return {
      update: (done, total) => {
        last = { done, total };
        if (performance.now() - shownAt < everyMs) return;
        shownAt = performance.now();
        show(`${name}: ${progressLine(done, total, rate())}`);
      },
      end: () => {
        if (performance.now() - began < quietMs) return;
        const seconds = ((performance.now() - began) / 1000).toFixed(1);
        show(`${name}: ${counted(last.done)} ${unit} in ${seconds} s, ${counted(Math.round(rate()))}/s`);
        if (this.err.isTTY) this.err.write('\n');
      },
    };
  }
}

function progressLine(done: number, total: number | null, perSecond: number): string {
  const speed = `${counted(Math.round(perSecond))}/s`;
  if (total === null) return `${counted(done)}, ${speed}`;
  const share = total === 0 ? 100 : Math.floor((done * 100) / total);
  const left = perSecond > 0 ? Math.ceil(Math.max(total - done, 0) / perSecond) : 0;
  return `${counted(done)} of ${counted(total)} (${String(share)} %), ${speed}, ${duration(left)} left`;
}

const duration = (seconds: number): string =>
  seconds < 60 ? `${String(seconds)} s` : `${String(Math.floor(seconds / 60))} min ${String(seconds % 60)} s`;

/** 1234567 as `1,234,567`. */
export const counted = (n: number): string => String(n).replace(/\B(?=(?:\d{3})+$)/g, ',');

// What a terminal would obey, or what would turn the direction of a line: C0 but the line feed, DEL, C1, bidi marks.
const obeyed = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Text of others (order ids, notes) without anything that a terminal would obey. */
export const printable = (text: string): string => text.replace(obeyed, '?');

/** The same for JSON, where a character can be kept by its number. */
export const printableJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, null, indent).replace(
    obeyed,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );

/** Adds the examples that every command's help ends with. */
export const withExamples = (command: Command, ...lines: string[]): Command =>
  command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  finality ${line}`).join('\n')}`);

/** Whether what is done here is real: such commands want to be told `--yes`. */
export const isProduction = ({ config }: Pick<Workspace, 'config'>): boolean => config.gateway === 'oxapay';

import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileNameOf, fileText, numberIn, type CheckpointFile } from './checkpoint-file.js';

/** A directory, or one file, of exported checkpoints. A file that is there is never written over. */
export class CheckpointFiles {
  readonly numbers: ReadonlySet<number>;
  /** The number of the newest file; 0 where there is none. */
  readonly newest: number;

  private constructor(
    private readonly directory: string,
    numbers: readonly number[],
    /** Whether files that are not there were to be expected. */
    readonly whole: boolean,
  ) {
    this.numbers = new Set(numbers);
    this.newest = numbers.reduce((newest, number) => Math.max(newest, number), 0);
  }

  /** Looks what is in a directory; one that is not there is empty. */
  static async in(directory: string): Promise<CheckpointFiles> {
    const names = await readdir(directory).catch(unlessThere);
    return new CheckpointFiles(
      directory,
      (names ?? []).flatMap((name) => numberIn(name) ?? []),
      true,
    );
  }

  /** A directory or a single file. Throws where it is neither. */
  static async at(path: string): Promise<CheckpointFiles> {
    if ((await stat(path)).isDirectory()) {
      const files = await CheckpointFiles.in(path);
      if (files.count === 0) throw new Error(`${path} holds no file of a checkpoint (checkpoint-00000001.json).`);
      return files;
    }
    const number = numberIn(basename(path));
    if (number === null) throw new Error(`${path} is not named as a checkpoint is (checkpoint-00000001.json).`);
    return new CheckpointFiles(dirname(path), [number], false);
  }

  get count(): number {
    return this.numbers.size;
  }

  has(number: number): boolean {
    return this.numbers.has(number);
  }

  pathOf(number: number): string {
    return join(this.directory, fileNameOf(number));
  }

  /** Null where there is no such file. */
  async read(number: number): Promise<string | null> {
    return readFile(this.pathOf(number), 'utf8').catch(unlessThere);
  }

  /** Writes a file whole or not at all. Throws where another of its name is there. */
  async write(file: CheckpointFile): Promise<void> {
    const { number } = file.signed.statement;
    const path = this.pathOf(number);
    const text = fileText(file);
    const known = await this.read(number);
    if (known === text) return;
    if (known !== null)
      throw new Error(
        `${path} is there already and holds another checkpoint: it is of another store, or of an older state of this one.`,
      );
    await mkdir(this.directory, { recursive: true });
    const unfinished = `${path}.${randomUUID()}.tmp`;
    await durably(unfinished, text);
    await rename(unfinished, path);
    await synced(this.directory);
  }
}

async function durably(path: string, text: string): Promise<void> {
  const handle = await open(path, 'w', 0o644);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A file's name is durable when its directory is. */
async function synced(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } catch {
    // Not every file system does this for directories.
  } finally {
    await handle.close();
  }
}

function unlessThere(error: unknown): null {
  if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT') return null;
  throw error;
}

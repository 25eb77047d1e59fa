import { statfs } from 'node:fs/promises';

/** The disk that the embedded database writes to. */
export interface DataDisk {
  freeBytes: number;
  sizeBytes: number;
}

/** Null where there is no such directory, or its disk cannot be asked. A database that was given has its disk elsewhere. */
export async function dataDiskOf(dataDir: string): Promise<DataDisk | null> {
  try {
    const { bavail, blocks, bsize } = await statfs(dataDir);
    return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
  } catch {
    return null;
  }
}

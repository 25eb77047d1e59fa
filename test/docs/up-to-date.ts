import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect } from '@jest/globals';

/** Compares with what is committed; `npm run docs` writes it anew. */
export async function isUpToDate(path: string, text: string): Promise<void> {
  if (process.env['UPDATE_DOCS'] === '1') {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
  expect(await readFile(path, 'utf8')).toBe(text);
}

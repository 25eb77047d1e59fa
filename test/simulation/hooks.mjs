// Module hooks of a simulation's process: TypeScript of this folder is compiled as it is loaded, `src/` is read from the
// build, the pauses of the build go by virtual time, and a mutant's source changes are made on the way.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transform } from '@swc/core';

const root = new URL('../../', import.meta.url).href;
const built = `${root}dist/`;
const virtualTimers = new URL('./timers.ts', import.meta.url).href;
let changes = [];

export const initialize = (data) => {
  changes = data.changes;
};

export const resolve = (specifier, context, next) => {
  const parent = context.parentURL ?? '';
  if (specifier === 'node:timers/promises' && parent.startsWith(built)) return next(virtualTimers, context);
  if (!specifier.startsWith('.') || !parent.endsWith('.ts')) return next(specifier, context);
  const { href } = new URL(specifier, parent);
  if (href.startsWith(`${root}src/`)) return next(href.replace(`${root}src/`, built), context);
  return next(href.replace(/\.js$/, '.ts'), context);
};

export const load = async (url, context, next) => {
  if (url.endsWith('.ts')) return { format: 'module', shortCircuit: true, source: await compiled(url) };
  const mine = changes.filter(({ file }) => url === built + file);
  if (mine.length === 0) return next(url, context);
  let source = await readFile(fileURLToPath(url), 'utf8');
  for (const { file, from, to } of mine) {
    if (source.split(from).length !== 2) throw new Error(`the mutant does not apply to ${file} any more: ${from}`);
    source = source.replace(from, () => to);
  }
  return { format: 'module', shortCircuit: true, source };
};

const compiled = async (url) => {
  const filename = fileURLToPath(url);
  const options = { parser: { syntax: 'typescript', decorators: true }, target: 'es2023' };
  const { code } = await transform(await readFile(filename, 'utf8'), {
    filename,
    sourceMaps: 'inline',
    jsc: options,
    module: { type: 'es6' },
  });
  return code;
};

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { Controller, Get, Headers, Param, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Refusal } from '../../kernel/refusal.js';

type Encoding = 'br' | 'gzip' | 'identity';

interface Asset {
  type: string;
  bodies: Record<Encoding, Buffer>;
}

const types = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
} as const;

const assets = new Map<string, Asset>();

/** A file of a package, as `asset` takes it. */
export const packageFile = (name: string): string => createRequire(import.meta.url).resolve(name);

/** The foundation of every page's stylesheet: modern-normalize, and then our colours, type and components. */
export const baseStyle: readonly (string | URL)[] = [
  packageFile('modern-normalize/modern-normalize.css'),
  new URL('./base.css', import.meta.url),
];

/**
 * Has files served as one, and returns where: the address changes with the content, so that browsers keep it for good.
 * `name` ends with `.css`, `.js` or `.svg`. Called once for each, where the page that takes it is defined.
 */
export function asset(name: string, ...files: readonly (string | URL)[]): string {
  const text = files
    .map((file) => readFileSync(typeof file === 'string' ? file : fileURLToPath(file), 'utf8'))
    .join('\n');
  const [, stem = '', kind = ''] = /^([a-z0-9-]+)\.(css|js|svg)$/.exec(name) ?? [];
  if (!isKind(kind)) throw new Error(`an asset cannot be called ${name}`);
  const plain = Buffer.from(kind === 'css' ? withoutComments(text) : text);
  const hash = createHash('sha256').update(plain).digest('hex').slice(0, 12);
  const file = `${stem}.${hash}.${kind}`;
  if (!assets.has(file)) assets.set(file, { type: types[kind], bodies: encodings(plain) });
  return `/assets/${file}`;
}

const isKind = (kind: string): kind is keyof typeof types => kind in types;

const withoutComments = (css: string): string => css.replace(/\/\*[^]*?\*\//g, '').replace(/\n\s+/g, '\n');

const encodings = (plain: Buffer): Asset['bodies'] => ({
  br: brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
  gzip: gzipSync(plain, { level: 9 }),
  identity: plain,
});

/** What `Accept-Encoding` allows, the smallest first (RFC 9110, section 12.5.3). */
function encodingFor(accepted: string | undefined): Encoding {
  const allowed = new Set(
    (accepted ?? '')
      .split(',')
      .filter((part) => !/;\s*q=0(\.0*)?\s*$/i.test(part))
      .map((part) => part.split(';')[0]?.trim().toLowerCase()),
  );
  return allowed.has('br') ? 'br' : allowed.has('gzip') ? 'gzip' : 'identity';
}

/** Stylesheets and scripts of the pages. They hold nothing private. */
@ApiExcludeController()
@Controller('assets')
export class AssetsController {
  @Get(':file')
  file(
    @Param('file') file: string,
    @Headers('accept-encoding') accepted: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Buffer {
    const found = assets.get(file);
    if (!found) throw new Refusal('not_found', 'There is no such file; load the page anew.');
    const encoding = encodingFor(accepted);
    void reply
      .header('content-type', found.type)
      .header('x-content-type-options', 'nosniff')
      .header('cross-origin-resource-policy', 'same-origin')
      .header('vary', 'accept-encoding')
      .header('cache-control', 'public, max-age=31536000, immutable');
    if (encoding !== 'identity') void reply.header('content-encoding', encoding);
    return found.bodies[encoding];
  }
}

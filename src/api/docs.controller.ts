import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import fastifyStatic from '@fastify/static';
import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { contentSecurityPolicy, sendPage } from '../platform/http/page.controller.js';
import { DeveloperPages, keyShownTo } from './developer-pages.js';
import { docsPage, viewerFiles } from './docs.page.js';

/** Swagger UI draws its arrows and marks from `data:` images in its stylesheet. */
const docsPolicy = contentSecurityPolicy.replace("img-src 'self'", "img-src 'self' data:");

/** The page that shows the API and lets it be tried. */
@ApiExcludeController()
@Controller('docs')
export class DocsController {
  constructor(@Inject(DeveloperPages) private readonly pages: DeveloperPages) {}

  @Get()
  docs(@Req() { headers }: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): string {
    const { sandbox } = this.pages;
    const page = sendPage(reply, docsPage({ sandbox, apiKey: keyShownTo(headers.host, this.pages) }));
    void reply.header('content-security-policy', docsPolicy);
    return page;
  }
}

/** Serves the two files of Swagger UI that the page takes. They are large: nothing is read before somebody asks. */
export async function serveDocs(app: NestFastifyApplication): Promise<void> {
  // It comes with @nestjs/swagger, so it is looked for from there.
  const swagger = createRequire(createRequire(import.meta.url).resolve('@nestjs/swagger'));
  await app.register(fastifyStatic, {
    root: dirname(swagger.resolve('swagger-ui-dist/package.json')),
    prefix: '/docs/',
    decorateReply: false,
    index: false,
    allowedPath: (path) => Object.values(viewerFiles).some((file) => path === `/${file}`),
  });
}

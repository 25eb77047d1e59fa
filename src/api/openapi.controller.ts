import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { version } from '../version.js';

/** The OpenAPI document of the service: the full truth about its API. */
export function openApiDocument(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Finality')
    .setVersion(version)
    .setDescription(
      'When is this payment complete for the business, and why (not)? ' +
        'Money is a decimal string with a currency, times are RFC 3339 in UTC, errors are RFC 9457 problem documents whose `type` is stable.',
    )
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addServer('/', 'This service')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'An API key' })
    .addTag('payments')
    .addTag('payment links')
    .addTag('orders')
    .addTag('deposit addresses')
    .addTag('customers')
    .addTag('policies')
    .addTag('events')
    .addTag('webhooks')
    .addTag('callbacks')
    .build();
  return SwaggerModule.createDocument(app, config);
}

/** Serves the document at /openapi.json. */
export function serveOpenApi(app: INestApplication): void {
  SwaggerModule.setup('docs', app, () => openApiDocument(app), {
    jsonDocumentUrl: 'openapi.json',
    ui: false,
    raw: ['json'],
  });
}

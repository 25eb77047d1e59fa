import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiProperty,
  ApiPropertyOptional,
  ApiTags,
} from '@nestjs/swagger';
import {
  ArrayMaxSize,
  ArrayNotEmpty,
  ArrayUnique,
  IsArray,
  IsIn,
  IsOptional,
  IsString,
  MaxLength,
} from 'class-validator';
import { WebhookEndpoints } from '../fulfillment/webhook-endpoints.pg.js';
import { webhookTypes } from '../fulfillment/webhook-types.js';
import { Refusal } from '../kernel/refusal.js';
import { ApiKeyGuard, Caller } from '../platform/http/api-key.controller.js';
import type { Application } from '../platform/http/applications.pg.js';
import { IdempotencyInterceptor } from '../platform/http/idempotency.controller.js';
import { ChangesAndRefuses, Refuses } from './problems.js';
import { bodyPipe } from './validation.js';

class CreateWebhookEndpointRequest {
  @ApiProperty({
    example: 'https://shop.example/webhooks/finality',
    maxLength: 2048,
    description: 'HTTPS, port 443, on the public Internet; anything in sandbox.',
  })
  @IsString()
  @MaxLength(2048)
  url!: string;

  @ApiPropertyOptional({ enum: webhookTypes, isArray: true, description: 'Everything where left out.' })
  @IsOptional()
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(webhookTypes.length)
  @ArrayUnique()
  @IsIn(webhookTypes, { each: true })
  events?: string[];
}

class WebhookEndpointAnswer {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty() url!: string;
  @ApiProperty({ enum: webhookTypes, isArray: true, nullable: true }) events!: string[] | null;
  @ApiProperty({ format: 'date-time' }) createdAt!: string;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) disabledAt!: string | null;
  @ApiPropertyOptional({ example: 'whsec_…', description: 'In the answer to the create only.' }) secret?: string;
}

class WebhookEndpointListAnswer {
  @ApiProperty({ type: [WebhookEndpointAnswer] }) items!: WebhookEndpointAnswer[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

@ApiTags('webhooks')
@ApiBearerAuth()
@Controller('v1/webhook-endpoints')
@UseGuards(ApiKeyGuard)
@UseInterceptors(IdempotencyInterceptor)
export class WebhookEndpointsController {
  constructor(@Inject(WebhookEndpoints) private readonly endpoints: WebhookEndpoints) {}

  @Post()
  @ApiOperation({
    summary: 'Register an address for webhooks',
    description: 'The `secret` in the answer is shown this once. It signs every delivery (Standard Webhooks).',
  })
  @ApiCreatedResponse({ type: WebhookEndpointAnswer })
  @ChangesAndRefuses('conflict')
  create(@Caller() caller: Application, @Body(bodyPipe) body: CreateWebhookEndpointRequest) {
    return this.endpoints.create({ applicationId: caller.id, url: body.url, events: body.events ?? null });
  }

  @Get()
  @ApiOperation({ summary: 'Your webhook endpoints, oldest first' })
  @ApiOkResponse({ type: WebhookEndpointListAnswer })
  @Refuses()
  async list(@Caller() caller: Application) {
    return { items: await this.endpoints.list(caller.id), nextCursor: null };
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Remove a webhook endpoint' })
  @ApiNoContentResponse()
  @ChangesAndRefuses('not_found')
  async remove(@Caller() caller: Application, @Param('id') id: string): Promise<void> {
    if (!(await this.endpoints.remove(caller.id, id)))
      throw new Refusal('not_found', 'There is no webhook endpoint with this id.');
  }
}

import {
  Body,
  Controller,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBearerAuth,
  ApiBody,
  ApiOkResponse,
  ApiOperation,
  ApiProperty,
  ApiPropertyOptional,
  ApiTags,
  OmitType,
} from '@nestjs/swagger';
import { ArrayMaxSize, ArrayNotEmpty, ArrayUnique, IsArray, IsIn, IsOptional } from 'class-validator';
import { deliveryOutcomes } from '../fulfillment/webhook-answer.js';
import {
  deliveryStatuses,
  WebhookDeliveries,
  type Delivery,
  type DeliveryFilter,
  type Redelivery,
} from '../fulfillment/webhook-deliveries.pg.js';
import { webhookTypes } from '../fulfillment/webhook-types.js';
import { Refusal } from '../kernel/refusal.js';
import { ApiKeyGuard, Caller } from '../platform/http/api-key.controller.js';
import type { Application } from '../platform/http/applications.pg.js';
import { IdempotencyInterceptor } from '../platform/http/idempotency.controller.js';
import { redeliverExamples } from './body-examples.js';
import { ChangesAndRefuses, Refuses } from './problems.js';
import { limitOf, listOf, PageQuery, readCursor, type List } from './queries.js';
import { IsId, IsInstant } from './rules.js';
import { bodyPipe, queryPipe } from './validation.js';

const idsAtMost = 100;

class DeliveriesQuery extends PageQuery {
  @ApiPropertyOptional({ format: 'uuid' })
  @IsOptional()
  @IsId()
  paymentId?: string;

  @ApiPropertyOptional({ format: 'uuid' })
  @IsOptional()
  @IsId()
  endpointId?: string;

  @ApiPropertyOptional({ enum: webhookTypes })
  @IsOptional()
  @IsIn(webhookTypes)
  type?: string;

  @ApiPropertyOptional({ enum: deliveryStatuses, example: 'dead' })
  @IsOptional()
  @IsIn(deliveryStatuses)
  status?: string;

  @ApiPropertyOptional({ example: '2026-01-01T00:00:00Z', description: 'Created then or later' })
  @IsOptional()
  @IsInstant()
  from?: string;

  @ApiPropertyOptional({ example: '2027-01-01T00:00:00Z', description: 'Created before' })
  @IsOptional()
  @IsInstant()
  to?: string;
}

/** The filters of the list, or ids. */
class RedeliverRequest extends OmitType(DeliveriesQuery, ['limit', 'cursor']) {
  @ApiPropertyOptional({
    type: [String],
    format: 'uuid',
    maxItems: idsAtMost,
    description: 'These deliveries; no other member may be given with it.',
  })
  @IsOptional()
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(idsAtMost)
  @ArrayUnique()
  @IsId({ each: true })
  deliveryIds?: string[];
}

class AttemptAnswer {
  @ApiProperty({ description: 'From 1' }) attempt!: number;
  @ApiProperty({ format: 'date-time' }) at!: string;
  @ApiProperty() durationMs!: number;
  @ApiProperty({ type: Number, nullable: true, description: 'The HTTP status; null where no answer came' })
  status!: number | null;
  @ApiProperty({ enum: deliveryOutcomes }) outcome!: string;
  @ApiProperty({ type: String, nullable: true, description: 'The first KiB of the answer' }) answer!: string | null;
}

class WebhookDeliveryAnswer {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ format: 'uuid', description: 'The header `webhook-id`, the same at every attempt' })
  webhookId!: string;
  @ApiProperty({ format: 'uuid' }) endpointId!: string;
  @ApiProperty({ format: 'uuid' }) paymentId!: string;
  @ApiProperty({ description: 'The place of the webhook among those of its payment, without gaps' }) sequence!: number;
  @ApiProperty({ enum: webhookTypes }) type!: string;
  @ApiProperty({
    enum: deliveryStatuses,
    description:
      '`dead`: its retries are used up, or its endpoint refused it for good; `cancelled`: no longer to be told',
  })
  status!: string;
  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'The next attempt; null where there is none, or where it waits for one before it of the same payment',
  })
  dueAt!: string | null;
  @ApiProperty({ format: 'date-time' }) createdAt!: string;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) endedAt!: string | null;
  @ApiProperty({ description: 'All attempts so far' }) attemptCount!: number;
  @ApiProperty({ type: [AttemptAnswer], description: 'The last 50, oldest first' }) attempts!: AttemptAnswer[];
}

class WebhookDeliveryListAnswer {
  @ApiProperty({ type: [WebhookDeliveryAnswer] }) items!: WebhookDeliveryAnswer[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

class RedeliveryAnswer {
  @ApiProperty() matched!: number;
  @ApiProperty({
    description: 'What is sent again: less where an endpoint is gone or disabled, or a webhook was cancelled',
  })
  queued!: number;
}

@ApiTags('webhooks')
@ApiBearerAuth()
@Controller('v1/webhook-deliveries')
@UseGuards(ApiKeyGuard)
@UseInterceptors(IdempotencyInterceptor)
export class WebhookDeliveriesController {
  constructor(@Inject(WebhookDeliveries) private readonly deliveries: WebhookDeliveries) {}

  @Get()
  @ApiOperation({ summary: 'Deliveries of webhooks with their attempts, newest first' })
  @ApiOkResponse({ type: WebhookDeliveryListAnswer })
  @Refuses('malformed_request', 'invalid_cursor')
  async list(
    @Caller() caller: Application,
    @Query(queryPipe) query: DeliveriesQuery,
  ): Promise<List<WebhookDeliveryAnswer>> {
    const limit = limitOf(query);
    const before = readCursor(caller.id, query.cursor);
    const rows = await this.deliveries.list(caller.id, filterOf(query), { before, limit });
    return listOf(rows, limit, caller.id, ({ id }) => id, answerDelivery);
  }

  @Get(':id')
  @ApiOperation({ summary: 'One delivery of a webhook with its attempts' })
  @ApiOkResponse({ type: WebhookDeliveryAnswer })
  @Refuses('not_found')
  async get(@Caller() caller: Application, @Param('id') id: string): Promise<WebhookDeliveryAnswer> {
    const delivery = await this.deliveries.get(caller.id, id);
    if (!delivery) throw new Refusal('not_found', 'There is no webhook delivery with this id.');
    return answerDelivery(delivery);
  }

  @Post('redeliver')
  @HttpCode(202)
  @ApiOperation({
    summary: 'Send webhooks again: some deliveries, or all that fit a filter',
    description:
      'They keep their `webhook-id` and their order, and get a retry schedule that begins anew. At most 10,000 at once.',
  })
  @ApiAcceptedResponse({ type: RedeliveryAnswer })
  @ApiBody({ type: RedeliverRequest, examples: redeliverExamples })
  @ChangesAndRefuses('not_found')
  redeliver(@Caller() caller: Application, @Body(bodyPipe) body: RedeliverRequest): Promise<Redelivery> {
    const ids = body.deliveryIds ?? null;
    const filter = filterOf(body);
    if ((ids === null) === (Object.keys(filter).length === 0))
      throw new Refusal('invalid_request', 'Give either deliveryIds or at least one member of a filter.', [
        { pointer: '/deliveryIds', detail: 'goes with no other member, and is needed where there is none' },
      ]);
    return this.deliveries.redeliver(caller.id, ids === null ? filter : { ids });
  }
}

function filterOf({
  paymentId,
  endpointId,
  type,
  status,
  from,
  to,
}: DeliveriesQuery | RedeliverRequest): DeliveryFilter {
  const given = { paymentId, endpointId, type, status, from: utc(from), to: utc(to) };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => (value ?? null) !== null));
}

const utc = (text: string | null | undefined): string | undefined =>
  typeof text === 'string' ? new Date(text).toISOString() : undefined;

const answerDelivery = ({ applicationId: _, ...delivery }: Delivery): WebhookDeliveryAnswer => delivery;

import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Injectable,
  Param,
  Patch,
  Post,
  Req,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
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
  IsBoolean,
  IsIn,
  IsOptional,
  IsString,
  MaxLength,
  ValidateIf,
} from 'class-validator';
import type { FastifyRequest } from 'fastify';
import { concatMap, type Observable } from 'rxjs';
import { EndpointStreams } from '../fulfillment/endpoint-streams.pg.js';
import { WebhookEndpoints, type WebhookEndpoint } from '../fulfillment/webhook-endpoints.pg.js';
import { webhookTypes } from '../fulfillment/webhook-types.js';
import { Clock } from '../kernel/clock.js';
import { Refusal } from '../kernel/refusal.js';
import { ApiKeyGuard, Caller } from '../platform/http/api-key.controller.js';
import type { Application } from '../platform/http/applications.pg.js';
import { IdempotencyInterceptor } from '../platform/http/idempotency.controller.js';
import { endpointChangeExamples, endpointExamples } from './body-examples.js';
import { causeOf } from './cause.js';
import { ChangesAndRefuses, Refuses } from './problems.js';
import { bodyPipe, NoFields } from './validation.js';

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

/** A field that may be left out, but not be null. */
const IfGiven = (name: string): PropertyDecorator =>
  ValidateIf((body: object) => Object.entries(body).some(([key, value]) => key === name && value !== undefined));

class ChangeWebhookEndpointRequest {
  @ApiPropertyOptional({ example: 'https://shop.example/webhooks/finality', maxLength: 2048 })
  @IfGiven('url')
  @IsString()
  @MaxLength(2048)
  url?: string;

  @ApiPropertyOptional({ enum: webhookTypes, isArray: true, nullable: true, description: 'null for everything.' })
  @IsOptional()
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(webhookTypes.length)
  @ArrayUnique()
  @IsIn(webhookTypes, { each: true })
  events?: string[] | null;

  @ApiPropertyOptional({
    description:
      'true puts a disabled endpoint to use again and forgets its failures; false sends nothing there any more. What comes due meanwhile is dead, until it is sent again.',
  })
  @IfGiven('enabled')
  @IsBoolean()
  enabled?: boolean;
}

class WebhookEndpointAnswer {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty() url!: string;
  @ApiProperty({ enum: webhookTypes, isArray: true, nullable: true }) events!: string[] | null;
  @ApiProperty({ format: 'date-time' }) createdAt!: string;
  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'Since when nothing is sent there; null while it is in use.',
  })
  disabledAt!: string | null;
  @ApiProperty({
    enum: ['gone', 'failing'],
    type: String,
    nullable: true,
    description:
      'Why the service disabled it: `gone`, it answered 410; `failing`, nothing got through for days. null where you did.',
  })
  disabledReason!: string | null;
  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'Since when every attempt fails; null while it answers.',
  })
  failingSince!: string | null;
  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'When it last got a new secret. The one before signs beside it for 24 hours.',
  })
  secretRotatedAt!: string | null;
  @ApiPropertyOptional({
    example: 'whsec_…',
    description:
      'In the answers to the create and to a rotation only, and in their repetitions for as long as it is the newest.',
  })
  secret?: string;
}

class WebhookEndpointListAnswer {
  @ApiProperty({ type: [WebhookEndpointAnswer] }) items!: WebhookEndpointAnswer[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

/**
 * Shows the secret in the answers to creates and rotations. It comes after the answer was kept for repetitions, so that
 * a secret is stored in one place only.
 */
@Injectable()
export class ShowsSecret implements NestInterceptor {
  constructor(@Inject(WebhookEndpoints) private readonly endpoints: WebhookEndpoints) {}

  intercept(context: ExecutionContext, next: CallHandler<WebhookEndpoint>): Observable<WebhookEndpoint> {
    const { method, application } = context.switchToHttp().getRequest<FastifyRequest & { application?: Application }>();
    if (method !== 'POST' || !application) return next.handle();
    return next.handle().pipe(
      concatMap(async (endpoint) => {
        const secret = await this.endpoints.secretSince(application.id, endpoint.id, endpoint.secretRotatedAt);
        return secret === null ? endpoint : { ...endpoint, secret };
      }),
    );
  }
}

@ApiTags('webhooks')
@ApiBearerAuth()
@Controller('v1/webhook-endpoints')
@UseGuards(ApiKeyGuard)
@UseInterceptors(ShowsSecret, IdempotencyInterceptor)
export class WebhookEndpointsController {
  constructor(
    @Inject(WebhookEndpoints) private readonly endpoints: WebhookEndpoints,
    @Inject(EndpointStreams) private readonly streams: EndpointStreams,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  @Post()
  @ApiOperation({
    summary: 'Register an address for webhooks',
    description:
      'The `secret` in the answer is shown this once. It signs every delivery (Standard Webhooks). At most 20 for an application.',
  })
  @ApiBody({ type: CreateWebhookEndpointRequest, examples: endpointExamples })
  @ApiCreatedResponse({ type: WebhookEndpointAnswer })
  @ChangesAndRefuses('conflict')
  async create(
    @Caller() caller: Application,
    @Body(bodyPipe) body: CreateWebhookEndpointRequest,
  ): Promise<WebhookEndpoint> {
    const { url, events = null } = body;
    return secretless(await this.endpoints.create({ applicationId: caller.id, url, events }));
  }

  @Get()
  @ApiOperation({ summary: 'Your webhook endpoints, oldest first' })
  @ApiOkResponse({ type: WebhookEndpointListAnswer })
  @Refuses()
  async list(@Caller() caller: Application) {
    return { items: await this.endpoints.list(caller.id), nextCursor: null };
  }

  @Get(':id')
  @ApiOperation({ summary: 'One webhook endpoint, and how it fares' })
  @ApiOkResponse({ type: WebhookEndpointAnswer })
  @Refuses('not_found')
  async get(@Caller() caller: Application, @Param('id') id: string): Promise<WebhookEndpoint> {
    return found(await this.endpoints.get(caller.id, id));
  }

  @Patch(':id')
  @ApiOperation({ summary: 'Change a webhook endpoint, or put it to use again' })
  @ApiBody({ type: ChangeWebhookEndpointRequest, examples: endpointChangeExamples })
  @ApiOkResponse({ type: WebhookEndpointAnswer })
  @ChangesAndRefuses('not_found')
  async update(
    @Caller() caller: Application,
    @Param('id') id: string,
    @Body(bodyPipe) { url, events, enabled }: ChangeWebhookEndpointRequest,
    @Req() request: FastifyRequest,
  ): Promise<WebhookEndpoint> {
    const change = {
      ...(url === undefined ? {} : { url }),
      ...(events === undefined ? {} : { events }),
      ...(enabled === undefined ? {} : { enabled }),
    };
    const before = found(await this.endpoints.get(caller.id, id));
    const after = found(await this.endpoints.update(caller.id, id, change));
    // What we disabled ourselves is in the feed, and so is the end of it.
    if (before.disabledReason !== null && after.disabledAt === null) {
      const data = { endpointId: id, at: this.clock.now() };
      const occasion = before.disabledAt ?? data.at;
      await this.streams.record(
        caller.id,
        { type: 'WebhookEndpointEnabled', data },
        causeOf(caller, request),
        occasion,
      );
    }
    return after;
  }

  @Post(':id/rotate-secret')
  @HttpCode(200)
  @UseGuards(NoFields)
  @ApiOperation({
    summary: 'Give a webhook endpoint a new secret',
    description:
      'For 24 hours every webhook is signed with both, the newest first. A second rotation within that time ends the oldest at once.',
  })
  @ApiOkResponse({ type: WebhookEndpointAnswer })
  @ChangesAndRefuses('not_found')
  async rotateSecret(@Caller() caller: Application, @Param('id') id: string): Promise<WebhookEndpoint> {
    return secretless(found(await this.endpoints.rotateSecret(caller.id, id)));
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Remove a webhook endpoint' })
  @ApiNoContentResponse()
  @ChangesAndRefuses('not_found')
  async remove(@Caller() caller: Application, @Param('id') id: string): Promise<void> {
    found((await this.endpoints.remove(caller.id, id)) || null);
  }
}

/** Another application's endpoint looks exactly like one that does not exist. */
function found<T>(endpoint: T | null): T {
  if (endpoint === null) throw new Refusal('not_found', 'There is no webhook endpoint with this id.');
  return endpoint;
}

const secretless = ({ secret: _, ...endpoint }: WebhookEndpoint & { secret: string }): WebhookEndpoint => endpoint;

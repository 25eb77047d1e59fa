import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Req,
  Res,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiProperty,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../kernel/refusal.js';
import { orderPrefix } from '../links/link.js';
import { LinkStreams, type LoadedLink } from '../links/link-streams.pg.js';
import { orderScope, PaymentStreams } from '../payments/payment-streams.pg.js';
import { showAmount } from '../payments/payment-view.js';
import type { Payment } from '../payments/payment.js';
import { EventStore } from '../platform/event-store/event-store.pg.js';
import { ApiKeyGuard, Caller } from '../platform/http/api-key.controller.js';
import type { Application } from '../platform/http/applications.pg.js';
import { IdempotencyInterceptor } from '../platform/http/idempotency.controller.js';
import { linkExamples } from './body-examples.js';
import { causeOf } from './cause.js';
import { PaymentLinkTerms } from './link-terms.js';
import { CreatePaymentLinkRequest } from './payment-link-request.js';
import { ChangesAndRefuses, Refuses } from './problems.js';
import { limitOf, listOf, PageQuery, readCursor } from './queries.js';
import { ApiSettings } from './settings.js';
import { bodyPipe, queryPipe } from './validation.js';

class PaymentLinkAnswer {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ example: 'https://pay.shop.example/l/7vQm2XkPz9RdT4wYc', description: 'What payers are given.' })
  url!: string;
  @ApiProperty({ type: String, nullable: true, example: '49.90', description: 'null where the payer chooses.' })
  amount!: string | null;
  @ApiProperty({ type: String, nullable: true, example: null }) minAmount!: string | null;
  @ApiProperty({ type: String, nullable: true, example: null }) maxAmount!: string | null;
  @ApiProperty({ example: 'USD' }) currency!: string;
  @ApiProperty({ example: 'Tea ceremony for two' }) description!: string;
  @ApiProperty() singleUse!: boolean;
  @ApiProperty({ description: 'Whether it can be paid: neither deleted nor, where it is single-use, paid.' })
  active!: boolean;
  @ApiProperty({
    example: 'link-0198c0de-0000-7000-8000-000000000000',
    description:
      'The order id of the payment of a single-use link. Of others, what the order ids of all its payments begin with. `GET /v1/payments?paymentLinkId=` lists them.',
  })
  orderId!: string;
  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    description: 'The newest payment of a single-use link; null before its first visit, and for other links.',
  })
  paymentId!: string | null;
  @ApiProperty({ type: String, nullable: true, description: 'Whose payments these are.' }) customerId!: string | null;
  @ApiProperty({ type: String, nullable: true }) returnUrl!: string | null;
  @ApiProperty({ example: 60, description: 'Minutes that the payer has, from the visit.' }) lifetimeMinutes!: number;
  @ApiProperty({ example: 'default', description: 'The name of the policy; `inline` where it came with the link.' })
  policy!: string;
  @ApiProperty({ type: Object, additionalProperties: { type: 'string' } }) metadata!: Record<string, string>;
  @ApiProperty({ format: 'date-time' }) createdAt!: string;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) deletedAt!: string | null;
  @ApiProperty({ example: 17, description: "Of its last event in the application's feed." }) position!: number;
}

class PaymentLinkListAnswer {
  @ApiProperty({ type: [PaymentLinkAnswer] }) items!: PaymentLinkAnswer[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

@ApiTags('payment links')
@ApiBearerAuth()
@Controller('v1/payment-links')
@UseGuards(ApiKeyGuard)
@UseInterceptors(IdempotencyInterceptor)
export class PaymentLinksController {
  constructor(
    @Inject(LinkStreams) private readonly links: LinkStreams,
    @Inject(PaymentLinkTerms) private readonly terms: PaymentLinkTerms,
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(PaymentStreams) private readonly payments: PaymentStreams,
    @Inject(ApiSettings) private readonly settings: ApiSettings,
  ) {}

  @Post()
  @ApiOperation({
    summary: 'Make a link that payers pay by',
    description:
      'Each visit to its `url` opens a payment of yours, or resumes the one that the visitor has. Payments carry `metadata.paymentLinkId`.',
  })
  @ApiBody({ type: CreatePaymentLinkRequest, examples: linkExamples })
  @ApiCreatedResponse({ type: PaymentLinkAnswer })
  @ChangesAndRefuses('conflict')
  async create(
    @Caller() caller: Application,
    @Body(bodyPipe) body: CreatePaymentLinkRequest,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<PaymentLinkAnswer> {
    const link = await this.links.create(await this.terms.of(caller.id, body), causeOf(caller, request));
    void reply.header('location', `/v1/payment-links/${link.terms.id}`);
    return this.answer(link, null);
  }

  @Get()
  @ApiOperation({ summary: 'Your payment links, newest first, deleted ones too' })
  @ApiOkResponse({ type: PaymentLinkListAnswer })
  @Refuses('malformed_request', 'invalid_cursor')
  async list(@Caller() caller: Application, @Query(queryPipe) query: PageQuery) {
    const before = readCursor(caller.id, query.cursor);
    const limit = limitOf(query);
    const found = await this.links.list(caller.id, before, limit + 1);
    const answers = await Promise.all(found.map((link) => this.current(link)));
    return listOf(
      answers,
      limit,
      caller.id,
      (link) => link.id,
      (link) => link,
    );
  }

  @Get(':id')
  @ApiOperation({ summary: 'One payment link' })
  @ApiOkResponse({ type: PaymentLinkAnswer })
  @Refuses('not_found')
  async get(@Caller() caller: Application, @Param('id') id: string): Promise<PaymentLinkAnswer> {
    return this.current(found(await this.links.find(caller.id, id)));
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    summary: 'End a payment link',
    description: 'Nobody can open a payment by it any more. Payments that were opened by it go on.',
  })
  @ApiNoContentResponse()
  @ChangesAndRefuses('not_found', 'conflict')
  async remove(@Caller() caller: Application, @Param('id') id: string, @Req() request: FastifyRequest): Promise<void> {
    found(await this.links.delete(caller.id, id, causeOf(caller, request)));
  }

  /** A link as it is now. Only single-use ones have one payment that stands for them. */
  private async current(link: LoadedLink): Promise<PaymentLinkAnswer> {
    const { singleUse, applicationId, id } = link.terms;
    const holder = singleUse ? await this.store.streamOf(orderScope(applicationId), orderPrefix(id)) : null;
    const loaded = holder === null ? null : await this.payments.find(holder);
    return this.answer(link, loaded?.payment ?? null);
  }

  private answer({ terms, createdAt, deletedAt, position }: LoadedLink, payment: Payment | null): PaymentLinkAnswer {
    const { id, slug, currency, policy } = terms;
    const show = (amount: string | null): string | null => (amount === null ? null : showAmount(amount, currency));
    return {
      id,
      url: `${this.settings.publicUrl}/l/${slug}`,
      amount: show(terms.amount),
      minAmount: show(terms.minAmount),
      maxAmount: show(terms.maxAmount),
      currency,
      description: terms.description,
      singleUse: terms.singleUse,
      active: deletedAt === null && payment?.status !== 'paid',
      orderId: orderPrefix(id),
      paymentId: payment?.terms.id ?? null,
      customerId: terms.customerId,
      returnUrl: terms.returnUrl,
      lifetimeMinutes: terms.lifetimeMinutes,
      policy: policy.name,
      metadata: terms.metadata,
      createdAt,
      deletedAt,
      position,
    };
  }
}

/** Another application's link looks exactly like one that does not exist. */
function found<T>(link: T | null): T {
  if (link === null) throw new Refusal('not_found', 'There is no payment link with this id.');
  return link;
}

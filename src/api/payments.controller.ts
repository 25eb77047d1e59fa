import {
  Body,
  Controller,
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
import { CommandBus } from '@nestjs/cqrs';
import {
  ApiBearerAuth,
  ApiBody,
  ApiCreatedResponse,
  ApiExtraModels,
  ApiOkResponse,
  ApiOperation,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isFiat } from '../kernel/money.js';
import { Refusal } from '../kernel/refusal.js';
import type { DecidedFulfillment } from '../fulfillment/fulfillment-streams.pg.js';
import { ReportFulfillment } from '../fulfillment/fulfillment.handlers.js';
import { CreateInvoice } from '../payments/create-invoice.handlers.js';
import { explain, type Explanation } from '../payments/explanation.js';
import { GatewayUnavailable } from '../payments/payment-gateway.js';
import { PaymentStreams, type LoadedPayment } from '../payments/payment-streams.pg.js';
import type { PaymentView } from '../payments/payment-view.js';
import { asItWas, momentOf, type AsOf } from '../payments/time-travel.js';
import { isFulfillable } from '../payments/standing.js';
import { CancelPayment, Reconcile, ResolveReview } from '../payments/payment.handlers.js';
import { RequestRefund } from '../payments/refund.handlers.js';
import { ApiKeyGuard, Caller } from '../platform/http/api-key.controller.js';
import type { Application } from '../platform/http/applications.pg.js';
import { IdempotencyInterceptor } from '../platform/http/idempotency.controller.js';
import { createExamples, fulfillmentExamples, refundExamples, reviewExamples } from './body-examples.js';
import { causeOf } from './cause.js';
import { OrderReader } from './order-reader.js';
import { ownPayment } from './own-payment.js';
import { PaymentTerms, refundTargetOf } from './payment-terms.js';
import {
  answerEvent,
  answerPayment,
  EventListAnswer,
  ExplanationAnswer,
  PaymentAnswer,
  PaymentListAnswer,
  ProblemAnswer,
} from './answers.js';
import { ChangesAndRefuses, Refuses } from './problems.js';
import { AsOfQuery, limitOf, listOf, PageQuery, PaymentsQuery, readCursor, unknownCursor } from './queries.js';
import { CreatePaymentRequest, FulfillmentRequest, PolicyRequest, RefundRequest, ReviewRequest } from './requests.js';
import { bodyPipe, NoFields, queryPipe } from './validation.js';
import { ApiSettings } from './settings.js';

@ApiTags('payments')
@ApiBearerAuth()
@ApiExtraModels(PolicyRequest, ProblemAnswer)
@Controller('v1/payments')
@UseGuards(ApiKeyGuard)
@UseInterceptors(IdempotencyInterceptor)
export class PaymentsController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(OrderReader) private readonly reader: OrderReader,
    @Inject(PaymentTerms) private readonly terms: PaymentTerms,
    @Inject(ApiSettings) private readonly settings: ApiSettings,
  ) {}

  @Post()
  @ApiOperation({
    summary: 'Create a payment and open an invoice for it',
    description:
      'Safe to repeat: with the same `Idempotency-Key`, or for the same order on the same terms, the answer is the payment that exists. ' +
      'A 202 means that the gateway has not confirmed the invoice yet; it opens by itself.',
  })
  @ApiBody({ type: CreatePaymentRequest, examples: createExamples })
  @ApiCreatedResponse({ type: PaymentAnswer, description: '`pending`: send the payer to `paymentUrl`' })
  @ApiResponse({ status: 202, type: PaymentAnswer, description: '`created`: the gateway did not answer in time' })
  @ChangesAndRefuses('order_has_payment', 'gateway_refused', 'not_found', 'no_remainder')
  async create(
    @Caller() caller: Application,
    @Body(bodyPipe) body: CreatePaymentRequest,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<PaymentView & { position: number }> {
    const created = await this.commands.execute<CreateInvoice, LoadedPayment>(
      new CreateInvoice(await this.terms.of(caller.id, body), causeOf(caller, request)),
    );
    const { payment } = created;
    if (payment.status === 'failed' && payment.reason === 'refused') {
      throw new Refusal('gateway_refused', `The gateway refused the payment: ${payment.detail}`, [], {
        paymentId: payment.terms.id,
      });
    }
    void reply.status(payment.status === 'created' ? 202 : 201).header('location', `/v1/payments/${payment.terms.id}`);
    return this.answer(created);
  }

  @Get()
  @ApiOperation({ summary: 'List and search payments, newest first' })
  @ApiOkResponse({ type: PaymentListAnswer })
  @Refuses('malformed_request', 'invalid_cursor')
  list(@Caller() caller: Application, @Query(queryPipe) query: PaymentsQuery) {
    return this.reader.payments(caller.id, query);
  }

  @Get(':id')
  @ApiOperation({
    summary: 'One payment, always current, or as it was',
    description:
      'With `asOf` the answer is what was known here then, by the time of recording; `asOf.learnedLater` lists what had happened by then, by the time of the gateway, and was recorded only later.',
  })
  @ApiOkResponse({ type: PaymentAnswer })
  @Refuses('not_found', 'malformed_request')
  async get(@Caller() caller: Application, @Param('id') id: string, @Query(queryPipe) query: AsOfQuery) {
    const { asOf: past, ...then } = asOf(await this.own(caller, id), query.asOf);
    return { ...this.answer(then), ...(past && { asOf: past }) };
  }

  @Get(':id/events')
  @ApiOperation({ summary: 'The event stream of a payment, oldest first' })
  @ApiOkResponse({ type: EventListAnswer })
  @Refuses('not_found', 'malformed_request', 'invalid_cursor')
  async events(@Caller() caller: Application, @Param('id') id: string, @Query(queryPipe) query: PageQuery) {
    const { events } = await this.own(caller, id);
    const after = readCursor(caller.id, query.cursor);
    const from = after === null ? 0 : events.findIndex((event) => event.id === after) + 1;
    if (after !== null && from === 0) throw unknownCursor();
    const rest = events.slice(from);
    return listOf(
      rest,
      limitOf(query, 100),
      caller.id,
      (event) => event.id,
      (event) => answerEvent(event, id),
    );
  }

  @Get(':id/explanation')
  @ApiOperation({ summary: 'Why the payment is, or is not, complete' })
  @ApiOkResponse({ type: ExplanationAnswer })
  @Refuses('not_found', 'malformed_request')
  async explanation(
    @Caller() caller: Application,
    @Param('id') id: string,
    @Query(queryPipe) query: AsOfQuery,
  ): Promise<Explanation & { asOf?: AsOf }> {
    const { payment, events, asOf: past } = asOf(await this.own(caller, id), query.asOf);
    return { ...explain(payment, events), ...(past && { asOf: past }) };
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @UseGuards(NoFields)
  @ApiOperation({ summary: 'Close a payment that no money was seen for' })
  @ApiOkResponse({ type: PaymentAnswer })
  @ChangesAndRefuses('not_found', 'money_was_seen', 'not_cancellable', 'conflict')
  async cancel(@Caller() caller: Application, @Param('id') id: string, @Req() request: FastifyRequest) {
    await this.own(caller, id);
    return this.answer(
      await this.commands.execute<CancelPayment, LoadedPayment>(new CancelPayment(id, causeOf(caller, request))),
    );
  }

  @Post(':id/reconcile')
  @HttpCode(200)
  @UseGuards(NoFields)
  @ApiOperation({ summary: 'Ask the gateway now' })
  @ApiOkResponse({ type: PaymentAnswer })
  @ChangesAndRefuses('not_found', 'gateway_unavailable')
  async reconcile(@Caller() caller: Application, @Param('id') id: string, @Req() request: FastifyRequest) {
    await this.own(caller, id);
    try {
      return this.answer(
        await this.commands.execute<Reconcile, LoadedPayment>(new Reconcile(id, causeOf(caller, request))),
      );
    } catch (error) {
      if (!(error instanceof GatewayUnavailable)) throw error;
      throw new Refusal('gateway_unavailable', 'The gateway does not answer; the service keeps asking by itself.');
    }
  }

  @Post(':id/review')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Decide about a payment that waits for a person',
    description: 'A decision is made once. What it did can be read in the payment and in its events.',
  })
  @ApiBody({ type: ReviewRequest, examples: reviewExamples })
  @ApiOkResponse({ type: PaymentAnswer })
  @ChangesAndRefuses(
    'not_found',
    'no_open_review',
    'review_resolved',
    'order_has_payment',
    'worth_unknown',
    'nothing_to_refund',
    'conflict',
  )
  async review(
    @Caller() caller: Application,
    @Param('id') id: string,
    @Body(bodyPipe) { decision, actor, note, refundTo }: ReviewRequest,
    @Req() request: FastifyRequest,
  ) {
    await this.own(caller, id);
    const resolution = { decision, actor, note, refundTo: refundTo ? refundTargetOf(refundTo) : null };
    const cause = { ...causeOf(caller, request), actor: `operator:${actor}` };
    return this.answer(
      await this.commands.execute<ResolveReview, LoadedPayment>(new ResolveReview(id, resolution, cause)),
    );
  }

  @Post(':id/refunds')
  @HttpCode(202)
  @ApiOperation({
    summary: "Send money back, through the gateway's payouts",
    description:
      'At most what was received and confirmed, less what was returned. The answer comes before the money moves: follow `refunds`.',
  })
  @ApiBody({ type: RefundRequest, examples: refundExamples })
  @ApiResponse({ status: 202, type: PaymentAnswer, description: 'Requested; the newest of `refunds`' })
  @ChangesAndRefuses(
    'not_found',
    'not_refundable',
    'nothing_to_refund',
    'refund_too_large',
    'worth_unknown',
    'conflict',
  )
  async refund(
    @Caller() caller: Application,
    @Param('id') id: string,
    @Body(bodyPipe) { amount, currency, address, network, memo, reason }: RefundRequest,
    @Req() request: FastifyRequest,
  ) {
    await this.own(caller, id);
    const coin = (currency ?? null) === null || isFiat(currency ?? '') ? null : (currency ?? null);
    const to = { address, network, currency: coin, memo: memo ?? null };
    const wish = { amount: amount ?? null, currency: currency ?? null, to, reason };
    return this.answer(
      await this.commands.execute<RequestRefund, LoadedPayment>(new RequestRefund(id, wish, causeOf(caller, request))),
    );
  }

  @Post(':id/fulfillment')
  @HttpCode(200)
  @ApiOperation({ summary: 'Report what became of the delivery, later than by the answer to the webhook' })
  @ApiBody({ type: FulfillmentRequest, examples: fulfillmentExamples })
  @ApiOkResponse({ type: PaymentAnswer })
  @ChangesAndRefuses('not_found', 'not_fulfillable', 'fulfillment_already_reported')
  async fulfillment(
    @Caller() caller: Application,
    @Param('id') id: string,
    @Body(bodyPipe) body: FulfillmentRequest,
    @Req() request: FastifyRequest,
  ) {
    const loaded = await this.own(caller, id);
    const { outcome, reference, note } = body;
    const command = new ReportFulfillment(
      id,
      outcome,
      reference ?? null,
      note ?? null,
      causeOf(caller, request),
      isFulfillable(loaded.payment) ? caller.id : null,
    );
    const { events, added } = await this.commands.execute<ReportFulfillment, DecidedFulfillment>(command);
    const answer = this.answer(loaded);
    const newest = added.at(-1) ?? events.at(-1);
    return { ...answer, position: Math.max(answer.position, newest?.position ?? 0) };
  }

  private own(caller: Application, id: string): Promise<LoadedPayment> {
    return ownPayment(this.streams, caller, id);
  }

  private answer({ payment, events }: Pick<LoadedPayment, 'payment' | 'events'>): PaymentView & { position: number } {
    return answerPayment(payment, events, this.settings.publicUrl);
  }
}

/** The payment as it was at the moment that is asked for; as it is now where none is. */
function asOf(
  loaded: LoadedPayment,
  asked: string | undefined,
): Pick<LoadedPayment, 'payment' | 'events'> & { asOf?: AsOf } {
  const moment = asked === undefined ? null : momentOf(asked);
  return moment === null ? loaded : asItWas(loaded.events, moment);
}

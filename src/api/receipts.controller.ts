import { Controller, Get, Inject, Param, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiExtraModels, ApiOkResponse, ApiOperation, ApiProperty, ApiTags } from '@nestjs/swagger';
import type { RecordedEvent } from '../kernel/event.js';
import { foldPayment } from '../payments/payment-stream.js';
import { PaymentStreams } from '../payments/payment-streams.pg.js';
import { viewPayment } from '../payments/payment-view.js';
import { ApiKeyGuard, Caller } from '../platform/http/api-key.controller.js';
import type { Application } from '../platform/http/applications.pg.js';
import { receiptFormat, type Receipt, type ReceiptSummary } from '../platform/proof/receipt.js';
import { Receipts } from '../platform/proof/receipts.pg.js';
import { ProblemAnswer } from './answers.js';
import { ownPayment } from './own-payment.js';
import { Refuses } from './problems.js';
import { ApiSettings } from './settings.js';

const statuses = ['created', 'pending', 'paid', 'expired', 'failed'];
const aHash = 'aef262c99dc114745714362d1851c92ae320b387ffd57ef7bf2fbae025bb703f';

class ReceiptPaymentAnswer {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ example: 'order-1001' }) orderId!: string;
  @ApiProperty({ enum: statuses }) status!: string;
  @ApiProperty({ example: '49.90' }) amount!: string;
  @ApiProperty({ example: 'USD' }) currency!: string;
  @ApiProperty({ type: String, nullable: true, example: '49.90' }) received!: string | null;
  @ApiProperty({ type: String, nullable: true, format: 'date-time' }) paidAt!: string | null;
  @ApiProperty({ type: String, nullable: true, format: 'date-time' }) closedAt!: string | null;
}

class ReceiptEventAnswer {
  @ApiProperty({ format: 'uuid' }) streamId!: string;
  @ApiProperty({ example: 1 }) version!: number;
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ example: 'PaymentRequested' }) type!: string;
  @ApiProperty({ example: 1 }) schemaVersion!: number;
  @ApiProperty({ format: 'date-time' }) recordedAt!: string;
  @ApiProperty({ format: 'uuid' }) tenant!: string;
  @ApiProperty({ example: 'gateway' }) actor!: string;
  @ApiProperty({ format: 'uuid' }) correlationId!: string;
  @ApiProperty({ format: 'uuid' }) causationId!: string;
  @ApiProperty({ description: 'The JSON text exactly as it is stored and hashed.' }) data!: string;
  @ApiProperty({ example: aHash, description: 'SHA-256 over the hash before it and every field above, hex.' })
  hash!: string;
}

class ReceiptHeadAnswer {
  @ApiProperty({ example: 7 }) version!: number;
  @ApiProperty({ example: aHash }) hash!: string;
}

class ReceiptCheckpointAnswer {
  @ApiProperty({ description: 'The statement of the checkpoint, exactly as signed.' }) statement!: string;
  @ApiProperty({ description: 'Ed25519, base64.' }) signature!: string;
  @ApiProperty({
    type: [Object],
    example: ['0198c0de-0000-7000-8000-000000000001', 7, aHash, [1, 4, 9]],
    description: 'Stream, version, hash, and the positions of its events in the span: the leaf.',
  })
  head!: unknown[];
  @ApiProperty({ example: 12, description: 'Which leaf it is.' }) index!: number;
  @ApiProperty({ type: [String], description: 'The neighbours up to the root, lowest first (RFC 6962), hex.' })
  path!: string[];
}

class ReceiptAnswer {
  @ApiProperty({ enum: [receiptFormat] }) format!: string;
  @ApiProperty({ format: 'date-time' }) issuedAt!: string;
  @ApiProperty({ type: ReceiptPaymentAnswer }) payment!: ReceiptPaymentAnswer;
  @ApiProperty({ type: [ReceiptEventAnswer] }) events!: ReceiptEventAnswer[];
  @ApiProperty({ type: ReceiptHeadAnswer }) head!: ReceiptHeadAnswer;
  @ApiProperty({
    type: ReceiptCheckpointAnswer,
    nullable: true,
    description: 'That the payment stood in the log when it was sealed; null until its first checkpoint.',
  })
  checkpoint!: ReceiptCheckpointAnswer | null;
  @ApiProperty({ description: 'Ed25519, 32 bytes in base64.' }) publicKey!: string;
  @ApiProperty({ description: 'Ed25519 over format, time, payment, head and key, base64.' }) signature!: string;
}

@ApiTags('payments')
@ApiBearerAuth()
@ApiExtraModels(ProblemAnswer)
@Controller('v1/payments')
@UseGuards(ApiKeyGuard)
export class ReceiptsController {
  constructor(
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(Receipts) private readonly receipts: Receipts,
    @Inject(ApiSettings) private readonly settings: ApiSettings,
  ) {}

  @Get(':id/receipt')
  @ApiOperation({
    summary: 'A signed receipt that can be checked without this service',
    description:
      'It holds every event of the payment with its hash, a signature, and the way to a checkpoint of the log. `examples/check-receipt.mjs` checks it offline. It holds all that is known of the payment: give it to whoever may know that.',
  })
  @ApiOkResponse({ type: ReceiptAnswer })
  @Refuses('not_found', 'proof_unavailable')
  async receipt(@Caller() caller: Application, @Param('id') id: string): Promise<Receipt> {
    await ownPayment(this.streams, caller, id);
    return this.receipts.of(id, (events) => this.summaryOf(events));
  }

  private summaryOf(events: RecordedEvent[]): ReceiptSummary {
    const view = viewPayment(foldPayment(events), events.length, this.settings.publicUrl);
    const { id, orderId, status, amount, currency, received, paidAt, closedAt } = view;
    return { id, orderId, status, amount, currency, received, paidAt, closedAt };
  }
}

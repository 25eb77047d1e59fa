import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  IsBoolean,
  IsEmail,
  IsIn,
  IsInt,
  IsNotEmpty,
  IsObject,
  IsOptional,
  IsString,
  IsUUID,
  Max,
  MaxLength,
  Min,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { isPolicyName } from '../payments/policies.js';
import {
  IsAddress,
  IsAmount,
  IsCoin,
  IsCount,
  IsCurrency,
  IsDuration,
  IsInstant,
  IsMetadata,
  IsNetwork,
  IsPercent,
  IsPolicy,
  IsReturnUrl,
  NoControls,
  OnlyWithConfirmations,
} from './rules.js';

export class PaidWhen {
  @ApiProperty({
    enum: ['detected', 'confirmations', 'settled'],
    description:
      '`detected`: first sight of the full amount; `confirmations`: every counted transfer has `count`; `settled`: the gateway says so.',
  })
  @IsIn(['detected', 'confirmations', 'settled'])
  rule!: 'detected' | 'confirmations' | 'settled';

  @ApiPropertyOptional({ minimum: 1, maximum: 1000, description: 'With `confirmations`, and with no other rule.' })
  @ValidateIf(({ rule, count }: PaidWhen) => rule === 'confirmations' || (count ?? null) !== null)
  @IsCount()
  @OnlyWithConfirmations()
  count?: number;
}

export class Underpayment {
  @ApiProperty({
    example: '0',
    description: 'Percent that may be missing, 0 to 60 (the gateway takes no more), two decimals at most.',
  })
  @IsPercent('the gateway takes no more, and a shortage of everything would give the goods for nothing')
  tolerancePercent!: string;

  @ApiProperty({ enum: ['reject', 'partial_credit', 'review'] })
  @IsIn(['reject', 'partial_credit', 'review'])
  then!: 'reject' | 'partial_credit' | 'review';
}

export class Overpayment {
  @ApiProperty({ example: '0', description: 'Percent too much that is let pass, 0 to 60, two decimals at most.' })
  @IsPercent('what is further over is a mistake that has to be seen')
  tolerancePercent!: string;

  @ApiProperty({ enum: ['credit', 'refund', 'review', 'keep'] })
  @IsIn(['credit', 'refund', 'review', 'keep'])
  then!: 'credit' | 'refund' | 'review' | 'keep';
}

export class LatePayment {
  @ApiProperty({ example: 'PT72H', description: 'ISO 8601 duration of days, hours and minutes, 30 days at most.' })
  @IsDuration()
  window!: string;

  @ApiProperty({ enum: ['accept', 'credit', 'refund', 'review'] })
  @IsIn(['accept', 'credit', 'refund', 'review'])
  then!: 'accept' | 'credit' | 'refund' | 'review';
}

/** The rules of a policy; any clause may be left out. */
export class PolicyRequest {
  @ApiPropertyOptional({ type: PaidWhen })
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => PaidWhen)
  paidWhen?: PaidWhen;

  @ApiPropertyOptional({ type: Underpayment })
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => Underpayment)
  underpayment?: Underpayment;

  @ApiPropertyOptional({ type: Overpayment })
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => Overpayment)
  overpayment?: Overpayment;

  @ApiPropertyOptional({ type: LatePayment })
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => LatePayment)
  latePayment?: LatePayment;
}

/** The field `policy`: the name of one, or rules that are checked like those of a policy. */
export const IsPolicyChoice = (): PropertyDecorator =>
  applyDecorators(
    // A name has nothing inside to validate.
    ValidateIf((_, policy) => typeof policy !== 'string' || !isPolicyName(policy)),
    IsPolicy(),
    ValidateNested(),
    Type((options) => (typeof options?.object['policy'] === 'object' ? PolicyRequest : String)),
  );

/** Under which policy the past is decided anew, and which part of it. */
export class SimulationRequest {
  @ApiProperty({
    oneOf: [{ type: 'string' }, { $ref: '#/components/schemas/PolicyRequest' }],
    description:
      'The name of one of your policies, or rules: clauses that are left out are those of the policy as it is now.',
  })
  @IsPolicyChoice()
  policy!: string | PolicyRequest;

  @ApiPropertyOptional({ example: '2026-01-01T00:00:00Z', description: 'Payments created then or later.' })
  @IsOptional()
  @IsInstant()
  from?: string;

  @ApiPropertyOptional({ example: '2026-02-01T00:00:00Z', description: 'Payments created before then.' })
  @IsOptional()
  @IsInstant()
  to?: string;

  @ApiPropertyOptional({ description: '`nextCursor` of the answer before.' })
  @IsOptional()
  @IsString()
  @MaxLength(200)
  cursor?: string;
}

/** Where money is sent back to. */
export class RefundAddress {
  @ApiProperty({ example: 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ', description: "The payer's address on `network`." })
  @IsAddress()
  address!: string;

  @ApiProperty({ example: 'TRON', description: "The network's code at the gateway." })
  @IsNetwork()
  network!: string;

  @ApiPropertyOptional({ example: 'USDT', description: 'The coin; left out, the one that the payer sent.' })
  @IsOptional()
  @IsCoin()
  currency?: string | null;

  @ApiPropertyOptional({ maxLength: 100, description: 'Memo or destination tag, where the network has them.' })
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  @MaxLength(100)
  @NoControls()
  memo?: string | null;
}

const remainder = 'Required, but with `remainderOf`: then it is that of the other payment.';
/** Needed, unless the payment collects the missing part of another. */
const NeededAlone = (): PropertyDecorator =>
  ValidateIf(
    ({ remainderOf }: CreatePaymentRequest, value) => (remainderOf ?? null) === null || (value ?? null) !== null,
  );

export class CreatePaymentRequest {
  @ApiPropertyOptional({
    example: 'order-1001',
    maxLength: 128,
    description: `Your reference; unique while a payment for it is open or paid. ${remainder}`,
  })
  @NeededAlone()
  @IsString()
  @IsNotEmpty()
  @MaxLength(128)
  @NoControls()
  orderId?: string;

  @ApiPropertyOptional({ example: '49.90', description: `A decimal string; a JSON number is refused. ${remainder}` })
  @NeededAlone()
  @IsAmount()
  amount?: string;

  @ApiPropertyOptional({ example: 'USD', description: `A state's currency or a coin, in capitals. ${remainder}` })
  @NeededAlone()
  @IsCurrency()
  currency?: string;

  @ApiPropertyOptional({
    format: 'uuid',
    description: 'An open payment that is short of money: this one collects exactly what is missing from it.',
  })
  @IsOptional()
  @IsUUID()
  remainderOf?: string;

  @ApiPropertyOptional({
    default: false,
    description: 'Whether what the customer has to their credit pays as much of it as it can. Needs `customerId`.',
  })
  @IsOptional()
  @IsBoolean()
  useCredit?: boolean;

  @ApiPropertyOptional({
    type: RefundAddress,
    description: 'Where money goes that the policy sends back. Without it a person is asked instead.',
  })
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => RefundAddress)
  refundTo?: RefundAddress;

  @ApiPropertyOptional({ maxLength: 128 })
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  @MaxLength(128)
  @NoControls()
  customerId?: string;

  @ApiPropertyOptional({ maxLength: 256, description: "Shown to the payer and in the gateway's reports." })
  @IsOptional()
  @IsString()
  @MaxLength(256)
  @NoControls()
  description?: string;

  @ApiPropertyOptional({ example: 'payer@example.com' })
  @IsOptional()
  @IsEmail()
  @MaxLength(254)
  @NoControls()
  email?: string;

  @ApiPropertyOptional({
    example: 'https://shop.example/thanks',
    description: 'Where the payer goes afterwards; HTTPS outside sandbox.',
  })
  @IsOptional()
  @IsReturnUrl()
  returnUrl?: string;

  @ApiPropertyOptional({
    enum: ['hosted', 'embedded'],
    default: 'hosted',
    example: 'embedded',
    description:
      "Where the payer pays. `hosted`: on the gateway's page (`paymentUrl`). `embedded`: on a page of yours, or on the status page, with the address and amount in `payTo`; needs `payCurrency`.",
  })
  @IsOptional()
  @IsIn(['hosted', 'embedded'])
  presentation?: 'hosted' | 'embedded';

  @ApiPropertyOptional({ example: 'USDT', description: 'The coin that the payer sends; with `embedded` alone.' })
  @IsOptional()
  @IsCoin()
  payCurrency?: string;

  @ApiPropertyOptional({
    example: 'TRON',
    description: "The network's code at the gateway; left out, the usual one of the coin. With `embedded` alone.",
  })
  @IsOptional()
  @IsNetwork()
  network?: string;

  @ApiPropertyOptional({ minimum: 15, maximum: 2880, default: 60, description: 'Minutes that the payer has.' })
  @IsOptional()
  @IsInt()
  @Min(15)
  @Max(2880)
  lifetimeMinutes?: number;

  @ApiPropertyOptional({
    oneOf: [{ type: 'string', example: 'default' }, { $ref: '#/components/schemas/PolicyRequest' }],
    description:
      'The name of a policy, or one inline: clauses that it leaves out are those of your `default`. Where no policy is ' +
      'given it is your `default`. The newest version is pinned; later ones do not change this payment.',
  })
  @IsOptional()
  @IsPolicyChoice()
  policy?: string | PolicyRequest;

  @ApiPropertyOptional({
    example: { cart: 'c-17' },
    additionalProperties: { type: 'string' },
    description: 'Up to 20 strings of your own.',
  })
  @IsOptional()
  @IsMetadata()
  metadata?: Record<string, string>;
}

export class ReviewRequest {
  @ApiProperty({
    enum: ['accept', 'reject', 'credit', 'refund'],
    description:
      '`accept`: what is there is enough. `reject`: it will not be completed; the money stays unallocated. `credit`, `refund`: ' +
      "likewise, and the money goes to the customer's credit or back; of a paid payment with too much money, that alone.",
  })
  @IsIn(['accept', 'reject', 'credit', 'refund'])
  decision!: 'accept' | 'reject' | 'credit' | 'refund';

  @ApiProperty({ example: 'support@shop.example', maxLength: 128, description: 'Who decides.' })
  @IsString()
  @IsNotEmpty()
  @MaxLength(128)
  @NoControls()
  actor!: string;

  @ApiProperty({ example: 'the payer confirmed the amount by mail', maxLength: 1000, description: 'Why.' })
  @IsString()
  @IsNotEmpty()
  @MaxLength(1000)
  @NoControls()
  note!: string;

  @ApiPropertyOptional({ type: RefundAddress, description: 'With `refund`, where the payment has no `refundTo`.' })
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => RefundAddress)
  refundTo?: RefundAddress;
}

export class RefundRequest {
  @ApiPropertyOptional({ example: '5.00', description: 'In `currency`. Left out: all that can be refunded.' })
  @IsOptional()
  @IsAmount()
  amount?: string;

  @ApiPropertyOptional({
    example: 'USDT',
    description:
      "The payment's currency (the default), or a coin that was paid, which is then what is sent. For a state's currency the " +
      'coin that the payer sent goes back.',
  })
  @IsOptional()
  @IsCurrency()
  currency?: string;

  @ApiProperty({ example: 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ' })
  @IsAddress()
  address!: string;

  @ApiProperty({ example: 'TRON' })
  @IsNetwork()
  network!: string;

  @ApiPropertyOptional({ maxLength: 100, description: 'Memo or destination tag, where the network has them.' })
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  @MaxLength(100)
  @NoControls()
  memo?: string;

  @ApiProperty({ example: 'returned goods', maxLength: 500 })
  @IsString()
  @IsNotEmpty()
  @MaxLength(500)
  @NoControls()
  reason!: string;
}

export class FulfillmentRequest {
  @ApiProperty({ enum: ['fulfilled', 'rejected'] })
  @IsIn(['fulfilled', 'rejected'])
  outcome!: 'fulfilled' | 'rejected';

  @ApiPropertyOptional({ maxLength: 128, description: 'Your reference of the delivery.' })
  @IsOptional()
  @IsString()
  @MaxLength(128)
  @NoControls()
  reference?: string;

  @ApiPropertyOptional({ maxLength: 500 })
  @IsOptional()
  @IsString()
  @MaxLength(500)
  @NoControls()
  note?: string;
}

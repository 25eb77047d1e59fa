import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  IsEmail,
  IsIn,
  IsInt,
  IsNotEmpty,
  IsObject,
  IsOptional,
  IsString,
  Max,
  MaxLength,
  Min,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { defaultPolicy } from '../payments/policy.js';
import { IsAmount, IsCurrency, IsDuration, IsMetadata, IsPercent, IsPolicy, IsReturnUrl, NoControls } from './rules.js';

class PaidWhen {
  @ApiProperty({
    enum: ['detected', 'confirmations', 'settled'],
    description:
      '`detected`: first sight of the full amount; `confirmations`: every counted transfer has `count`; `settled`: the gateway says so.',
  })
  @IsIn(['detected', 'confirmations', 'settled'])
  rule!: 'detected' | 'confirmations' | 'settled';

  @ApiPropertyOptional({ minimum: 1, maximum: 1000, description: 'With `confirmations` only.' })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(1000)
  count?: number;
}

class Underpayment {
  @ApiProperty({ example: '0', description: 'Percent that may be missing, 0 to 60 (the gateway takes no more).' })
  @IsPercent(60)
  tolerancePercent!: string;

  @ApiProperty({ enum: ['reject', 'partial_credit', 'review'] })
  @IsIn(['reject', 'partial_credit', 'review'])
  then!: 'reject' | 'partial_credit' | 'review';
}

class Overpayment {
  @ApiProperty({ example: '0', description: 'Percent too much that is let pass, 0 to 100.' })
  @IsPercent(100)
  tolerancePercent!: string;

  @ApiProperty({ enum: ['credit', 'refund', 'review', 'keep'] })
  @IsIn(['credit', 'refund', 'review', 'keep'])
  then!: 'credit' | 'refund' | 'review' | 'keep';
}

class LatePayment {
  @ApiProperty({ example: 'PT72H', description: 'ISO 8601 duration of days, hours and minutes, 30 days at most.' })
  @IsDuration()
  window!: string;

  @ApiProperty({ enum: ['accept', 'credit', 'refund', 'review'] })
  @IsIn(['accept', 'credit', 'refund', 'review'])
  then!: 'accept' | 'credit' | 'refund' | 'review';
}

/** An inline policy. Clauses that are left out are those of the policy `default`. */
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

export class CreatePaymentRequest {
  @ApiProperty({
    example: 'order-1001',
    maxLength: 128,
    description: 'Your reference; unique while a payment for it is open or paid.',
  })
  @IsString()
  @IsNotEmpty()
  @MaxLength(128)
  @NoControls()
  orderId!: string;

  @ApiProperty({ example: '49.90', description: 'A decimal string; a JSON number is refused.' })
  @IsAmount()
  amount!: string;

  @ApiProperty({ example: 'USD', description: "A state's currency or a coin, in capitals." })
  @IsCurrency()
  currency!: string;

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

  @ApiPropertyOptional({ minimum: 15, maximum: 2880, default: 60, description: 'Minutes that the payer has.' })
  @IsOptional()
  @IsInt()
  @Min(15)
  @Max(2880)
  lifetimeMinutes?: number;

  @ApiPropertyOptional({
    oneOf: [{ type: 'string', example: 'default' }, { $ref: '#/components/schemas/PolicyRequest' }],
    description: 'The name of a policy, or one inline.',
  })
  // The name of a policy has nothing inside to validate.
  @IsOptional()
  @ValidateIf((_, policy) => policy !== defaultPolicy.name)
  @IsPolicy()
  @ValidateNested()
  @Type((options) => (typeof options?.object['policy'] === 'object' ? PolicyRequest : String))
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

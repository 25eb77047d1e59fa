import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsInt, IsNotEmpty, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { IsPolicyChoice, type PolicyRequest } from './requests.js';
import { IsAmount, IsCurrency, IsMetadata, IsReturnUrl, NoControls } from './rules.js';

export class CreatePaymentLinkRequest {
  @ApiPropertyOptional({
    example: '49.90',
    description: 'A decimal string; a JSON number is refused. Left out: the payer chooses.',
  })
  @IsOptional()
  @IsAmount()
  amount?: string;

  @ApiPropertyOptional({ description: 'The least that the payer may choose, as a decimal string.' })
  @IsOptional()
  @IsAmount()
  minAmount?: string;

  @ApiPropertyOptional({ description: 'The most that the payer may choose, as a decimal string.' })
  @IsOptional()
  @IsAmount()
  maxAmount?: string;

  @ApiProperty({ example: 'USD', description: "A state's currency or a coin, in capitals." })
  @IsCurrency()
  currency!: string;

  @ApiProperty({ example: 'Tea ceremony for two', maxLength: 256, description: 'Shown to the payer.' })
  @IsString()
  @IsNotEmpty()
  @MaxLength(256)
  @NoControls()
  description!: string;

  @ApiPropertyOptional({ default: false, description: 'Whether the first payment that is completed ends it.' })
  @IsOptional()
  @IsBoolean()
  singleUse?: boolean;

  @ApiPropertyOptional({ maxLength: 128, description: 'Whose payments these are.' })
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  @MaxLength(128)
  @NoControls()
  customerId?: string;

  @ApiPropertyOptional({
    example: 'https://shop.example/thanks',
    description: 'Where the payer goes afterwards; HTTPS outside sandbox.',
  })
  @IsOptional()
  @IsReturnUrl()
  returnUrl?: string;

  @ApiPropertyOptional({
    minimum: 15,
    maximum: 2880,
    default: 60,
    description: 'Minutes that the payer has, from the visit.',
  })
  @IsOptional()
  @IsInt()
  @Min(15)
  @Max(2880)
  lifetimeMinutes?: number;

  @ApiPropertyOptional({
    oneOf: [{ type: 'string', example: 'default' }, { $ref: '#/components/schemas/PolicyRequest' }],
    description:
      'The name of a policy, or one inline, as for a payment. Each payment pins the newest version that the name has at its visit.',
  })
  @IsOptional()
  @IsPolicyChoice()
  policy?: string | PolicyRequest;

  @ApiPropertyOptional({
    example: { campaign: 'spring' },
    additionalProperties: { type: 'string' },
    description: 'Up to 19 strings of your own, for each of its payments; `paymentLinkId` is added to them.',
  })
  @IsOptional()
  @IsMetadata()
  metadata?: Record<string, string>;
}

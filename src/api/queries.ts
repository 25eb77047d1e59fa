import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, IsString, Matches, MaxLength } from 'class-validator';
import { isUuid } from '../kernel/ids.js';
import { Refusal } from '../kernel/refusal.js';
import { IsId, IsInstant, IsVersionOrInstant, NoControls } from './rules.js';

const limitRule = { message: 'must be a whole number from 1 to 100' };
const limitPattern = /^(?:[1-9]\d?|100)$/;
const positionPattern = /^\d{1,15}$/;

export class PageQuery {
  @ApiPropertyOptional({ description: '1 to 100', default: '20' })
  @IsOptional()
  @IsString()
  @Matches(limitPattern, limitRule)
  limit?: string;

  @ApiPropertyOptional({ description: '`nextCursor` of the page before' })
  @IsOptional()
  @IsString()
  @MaxLength(200)
  cursor?: string;
}

export class PaymentsQuery extends PageQuery {
  @ApiPropertyOptional()
  @IsOptional()
  @IsString()
  @MaxLength(128)
  @NoControls()
  orderId?: string;

  @ApiPropertyOptional({ enum: ['created', 'pending', 'paid', 'expired', 'failed'] })
  @IsOptional()
  @IsIn(['created', 'pending', 'paid', 'expired', 'failed'])
  status?: string;

  @ApiPropertyOptional({ example: 'overpaid' })
  @IsOptional()
  @IsString()
  @Matches(/^[a-z_]{1,40}$/, { message: 'must be a label' })
  label?: string;

  @ApiPropertyOptional({
    enum: ['open', 'resolved'],
    description: 'Payments that wait for a person, or that one decided about',
  })
  @IsOptional()
  @IsIn(['open', 'resolved'])
  review?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @IsString()
  @MaxLength(128)
  @NoControls()
  trackId?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @IsString()
  @MaxLength(128)
  @NoControls()
  customerId?: string;

  @ApiPropertyOptional({ format: 'uuid', description: 'Payments that were opened by this payment link' })
  @IsOptional()
  @IsId()
  paymentLinkId?: string;

  @ApiPropertyOptional({ example: '2026-01-01T00:00:00Z' })
  @IsOptional()
  @IsInstant()
  createdFrom?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @IsInstant()
  createdTo?: string;

  @ApiPropertyOptional({ description: 'Part of an order id, track id, customer id or e-mail, or a payment id' })
  @IsOptional()
  @IsString()
  @MaxLength(128)
  @NoControls()
  q?: string;

  @ApiPropertyOptional({ description: 'Wait (2 s at most) until the read model has reached this position' })
  @IsOptional()
  @IsString()
  @Matches(positionPattern, { message: 'must be a position' })
  minPosition?: string;
}

export class OrdersQuery extends PageQuery {
  @ApiPropertyOptional()
  @IsOptional()
  @IsString()
  @Matches(positionPattern, { message: 'must be a position' })
  minPosition?: string;
}

export class OrderQuery {
  @ApiPropertyOptional()
  @IsOptional()
  @IsString()
  @Matches(positionPattern, { message: 'must be a position' })
  minPosition?: string;
}

export class AsOfQuery {
  @ApiPropertyOptional({ description: 'An RFC 3339 time, or an event version: `1` is after the first event' })
  @IsOptional()
  @IsVersionOrInstant()
  asOf?: string;
}

export class FeedQuery {
  @ApiPropertyOptional({ description: 'The position after which to go on; 0 is the beginning' })
  @IsOptional()
  @IsString()
  @Matches(positionPattern, { message: 'must be a position' })
  after?: string;

  @ApiPropertyOptional({ default: '100' })
  @IsOptional()
  @IsString()
  @Matches(limitPattern, limitRule)
  limit?: string;
}

/** What a list of pages says of itself. */
export interface List<T> {
  items: T[];
  nextCursor: string | null;
}

export const limitOf = (query: { limit?: string }, fallback = 20): number =>
  parseInt(query.limit ?? String(fallback), 10);

/** A cursor names the application and the last row of the page, so that it opens nothing to anybody else. */
export const cursorOf = (applicationId: string, id: string): string =>
  Buffer.from(`${applicationId}/${id}`).toString('base64url');

/** Throws `Refusal('invalid_cursor')` for a cursor that this application was not given; `fits` tells what names a row. */
export function readCursor(
  applicationId: string,
  cursor: string | undefined,
  fits: (id: string) => boolean = isUuid,
): string | null {
  if (cursor === undefined) return null;
  const [owner, id] = Buffer.from(cursor, 'base64url').toString('latin1').split('/');
  if (owner !== applicationId || id === undefined || !fits(id)) {
    throw unknownCursor();
  }
  return id;
}

export const unknownCursor = (): Refusal =>
  new Refusal('invalid_cursor', 'Use the nextCursor of the page before, unchanged.');

/** Cuts the extra row off that tells whether there is a next page. */
export function listOf<T, R>(
  rows: readonly T[],
  limit: number,
  applicationId: string,
  idOf: (row: T) => string,
  show: (row: T) => R,
): List<R> {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    items: page.map(show),
    nextCursor: rows.length > limit && last ? cursorOf(applicationId, idOf(last)) : null,
  };
}

import { Inject, Injectable } from '@nestjs/common';
import type { Pool, PoolClient } from 'pg';
import { isAddressEvent, readAddressEvent, type DepositAddressEvent } from '../deposits/deposit-address.js';
import type { Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { DatabasePool } from '../platform/database/pool.pg.js';
import type { Projection, ProjectionParts } from '../platform/subscriptions/projection.js';

/** A deposit address in the read model. */
export interface AddressEntry {
  id: string;
  customerId: string;
  network: string;
  status: 'opening' | 'open' | 'revoked' | 'refused';
  trackId: string | null;
  address: string | null;
  memo: string | null;
  networkName: string | null;
  deposits: number;
  createdAt: Instant;
  /** When it was opened, or the last deposit was seen. */
  activeAt: Instant;
  revokedAt: Instant | null;
  revokedBy: 'application' | 'gateway' | null;
}

/** The read model of deposit addresses. */
export class DepositAddressProjection implements Projection {
  readonly kind = 'projection';
  readonly name = 'deposit_addresses';
  readonly tables = ['deposit_address_view'] as const;

  concerns(event: RecordedEvent): boolean {
    return isAddressEvent(event);
  }

  async apply(tx: PoolClient, events: readonly RecordedEvent[]): Promise<void> {
    for (const event of events.filter(isAddressEvent)) await write(tx, event.streamId, readAddressEvent(event));
  }

  async reset(tx: PoolClient): Promise<void> {
    await tx.query('truncate deposit_address_view');
  }

  readonly parts: ProjectionParts = {
    streamsOf: (event) => (isAddressEvent(event) ? [event.streamId] : []),
    forget: async (tx, streamIds) => {
      await tx.query('delete from deposit_address_view where address_id = any($1::uuid[])', [streamIds]);
    },
  };
}

async function write(tx: PoolClient, id: string, event: DepositAddressEvent): Promise<void> {
  switch (event.type) {
    case 'DepositAddressRequested': {
      const { applicationId, customerId, network, requestedAt } = event.data;
      await tx.query(
        `insert into deposit_address_view (address_id, application_id, customer_id, network, status, created_at, active_at)
         values ($1, $2, $3, $4, 'opening', $5, $5)`,
        [id, applicationId, customerId, network, requestedAt],
      );
      return;
    }
    case 'DepositAddressOpened': {
      const { trackId, address, memo, network, at } = event.data;
      await tx.query(
        `update deposit_address_view set status = 'open', track_id = $2, address = $3, memo = $4, network_name = $5, active_at = $6
         where address_id = $1`,
        [id, trackId, address, memo, network, at],
      );
      return;
    }
    case 'DepositAddressRefused':
      await tx.query(`update deposit_address_view set status = 'refused' where address_id = $1`, [id]);
      return;
    case 'DepositSeen':
      await tx.query('update deposit_address_view set deposits = deposits + 1, active_at = $2 where address_id = $1', [
        id,
        event.data.at,
      ]);
      return;
    case 'DepositAddressRevoked':
      await tx.query(
        `update deposit_address_view set status = 'revoked', revoked_at = $2, revoked_by = $3 where address_id = $1`,
        [id, event.data.at, event.data.by],
      );
      return;
    case 'DepositAddressDelayed':
    case 'DepositAddressRetried':
    case 'DepositRetold':
  }
}

/** Lists over the read model of deposit addresses. It follows the log by milliseconds. */
@Injectable()
export class DepositAddressList {
  constructor(@Inject(DatabasePool) private readonly pool: Pool) {}

  /** Addresses of one application, newest first; one more than `limit` where there are more. */
  async page(
    applicationId: string,
    { customerId, status }: { customerId?: string; status?: string },
    { limit, after }: { limit: number; after: string | null },
  ): Promise<AddressEntry[]> {
    const { rows } = await this.pool.query<AddressEntry>(
      `select address_id as id, customer_id as "customerId", network, status, track_id as "trackId", address, memo,
         network_name as "networkName", deposits, created_at as "createdAt", active_at as "activeAt",
         revoked_at as "revokedAt", revoked_by as "revokedBy"
       from deposit_address_view
       where application_id = $1 and ($2::text is null or customer_id = $2) and ($3::text is null or status = $3)
         and ($4::uuid is null or address_id < $4)
       order by address_id desc limit $5`,
      [applicationId, customerId ?? null, status ?? null, after, limit + 1],
    );
    return rows;
  }
}

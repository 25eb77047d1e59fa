import type { Pool } from 'pg';
import { Refusal } from '../kernel/refusal.js';
import { orderPrefix, type LinkTerms } from '../links/link.js';

/** Payments of one link that may be open at once: who opens so many is no crowd of payers. */
const openAtMost = 1000;
/** How many of its newest payments are looked at; older ones have paid, or their time is over. */
const lookedAt = 4000;
const retrySeconds = 60;

/** How many payments of a link are open, by the read model: milliseconds behind, which a bound of this size bears. */
export class LinkOpenings {
  constructor(private readonly pool: Pool) {}

  /** Throws `Refusal('rate_limited')` where there are as many as there may be. */
  async refuseTooMany({ id, applicationId }: LinkTerms): Promise<void> {
    const text = `select count(*) filter (where status in ('created', 'pending'))::int as open
      from (select status from payment_view
        where left(order_id, 41) = $1 and order_id like 'link-%' and application_id = $2
        order by payment_id desc limit $3) as newest`;
    const values = [orderPrefix(id), applicationId, lookedAt];
    const { rows } = await this.pool.query<{ open: number }>(text, values);
    if ((rows[0]?.open ?? 0) < openAtMost) return;
    throw new Refusal('rate_limited', 'Too many payments of this link are open.', [], {
      retryAfter: retrySeconds,
      limit: openAtMost,
    });
  }
}

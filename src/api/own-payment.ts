import { isUuid } from '../kernel/ids.js';
import { Refusal } from '../kernel/refusal.js';
import type { LoadedPayment, PaymentStreams } from '../payments/payment-streams.pg.js';
import type { Application } from '../platform/http/applications.pg.js';

/** A payment of the caller's. Another application's looks exactly like one that does not exist. */
export async function ownPayment(streams: PaymentStreams, caller: Application, id: string): Promise<LoadedPayment> {
  const loaded = isUuid(id) ? await streams.find(id) : null;
  if (loaded?.payment.terms.applicationId !== caller.id)
    throw new Refusal('not_found', 'There is no payment with this id.');
  return loaded;
}

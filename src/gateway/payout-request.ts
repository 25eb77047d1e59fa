import type { PayoutRequest } from '../payments/payment-gateway.js';
import { numberText, objectText } from './invoice-request.js';

/**
 * The body of `POST /payout` (docs.oxapay.com/api-reference/payout/generate-payout). The network is always sent: where
 * a coin lives on several, the gateway asks for it. There is no field for a reference but the description.
 */
export function payoutBody(request: PayoutRequest): string {
  const { address, currency, network, amount, memo, description, callbackUrl } = request;
  return objectText([
    ['address', JSON.stringify(address)],
    ['currency', JSON.stringify(currency)],
    ['amount', numberText(amount)],
    ['network', JSON.stringify(network)],
    ['callback_url', JSON.stringify(callbackUrl)],
    // An empty one could be taken for a memo that the recipient does not know.
    ['memo', memo === undefined || memo === '' ? undefined : JSON.stringify(memo)],
    ['description', JSON.stringify(description)],
  ]);
}

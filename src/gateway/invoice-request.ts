import { isPlainDecimal } from '../kernel/money.js';
import type { AddressRequest, InvoiceRequest } from '../payments/payment-gateway.js';

/**
 * The body of `POST /payment/invoice` (docs.oxapay.com/api-reference/payment/generate-invoice). The text is put
 * together here, because amounts go out as JSON numbers with every digit, which no JavaScript number could keep.
 *
 * The terms are always sent: what is left out follows the panel's settings, which anyone may change there. Absent
 * members are left out rather than sent as null.
 */
export function invoiceBody(request: InvoiceRequest): string {
  return objectText([
    ['amount', numberText(request.amount)],
    ['currency', JSON.stringify(request.currency)],
    ['lifetime', wholeText(request.lifetimeMinutes)],
    ['fee_paid_by_payer', request.feePaidByPayer ? '1' : '0'],
    ['under_paid_coverage', numberText(request.underPaidCoverage)],
    ['mixed_payment', request.mixedPayment ? 'true' : 'false'],
    ['callback_url', JSON.stringify(request.callbackUrl)],
    ['order_id', JSON.stringify(request.orderId)],
    ['return_url', optional(request.returnUrl)],
    ['email', optional(request.email)],
    ['description', optional(request.description)],
  ]);
}

/**
 * The body of `POST /payment/white-label` (docs.oxapay.com/api-reference/payment/generate-white-label), for a page of our
 * own. It takes no `mixed_payment` and no `return_url`.
 */
export function whiteLabelBody(request: InvoiceRequest, payWith: NonNullable<InvoiceRequest['payWith']>): string {
  return objectText([
    ['amount', numberText(request.amount)],
    ['currency', JSON.stringify(request.currency)],
    ['pay_currency', JSON.stringify(payWith.currency)],
    ['network', payWith.network === null ? undefined : JSON.stringify(payWith.network)],
    ['lifetime', wholeText(request.lifetimeMinutes)],
    ['fee_paid_by_payer', request.feePaidByPayer ? '1' : '0'],
    ['under_paid_coverage', numberText(request.underPaidCoverage)],
    ['callback_url', JSON.stringify(request.callbackUrl)],
    ['order_id', JSON.stringify(request.orderId)],
    ['email', optional(request.email)],
    ['description', optional(request.description)],
  ]);
}

/** The body of `POST /payment/static-address` (docs.oxapay.com/api-reference/payment/generate-static-address). */
export const addressBody = ({ reference, network, callbackUrl }: AddressRequest): string =>
  objectText([
    ['network', JSON.stringify(network)],
    ['callback_url', JSON.stringify(callbackUrl)],
    ['order_id', JSON.stringify(reference)],
  ]);

const optional = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : JSON.stringify(text);

/** A JSON object of members whose values are JSON already; one without a value is left out. */
export const objectText = (members: readonly (readonly [string, string | undefined])[]): string =>
  `{${members.flatMap(([key, value]) => (value === undefined ? [] : [`"${key}":${value}`])).join(',')}}`;

/** The decimal as a JSON number, digit by digit. Throws `TypeError` where it is none: nothing else may get into a body. */
export function numberText(decimal: string): string {
  if (!isPlainDecimal(decimal)) throw new TypeError('an amount for the gateway must be a plain decimal');
  return decimal;
}

function wholeText(value: number): string {
  if (!Number.isSafeInteger(value) || value <= 0) throw new TypeError('a lifetime is a whole number of minutes');
  return String(value);
}

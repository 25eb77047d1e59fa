import type { RecordedEvent } from '../kernel/event.js';
import type { PaymentEvent } from '../payments/payment.js';
import { readPaymentEvent } from '../payments/payment-stream.js';

/** What a payment left on a network, by which people who hold a wallet or an explorer's page find it again. */
export const traceKinds = ['transaction', 'address'] as const;
export type TraceKind = (typeof traceKinds)[number];

export interface Trace {
  kind: TraceKind;
  /** In the one spelling that `spelled` gives. */
  value: string;
}

/** Shorter than this, a hash is a placeholder of the gateway's. */
const shortest = 8;

const hex = /^(?:0x[0-9a-f]+|[0-9a-f]{64})$/i;
const bech32 = /^(?:bc1|tb1|ltc1)[0-9a-z]+$/i;

/**
 * The one spelling of a hash or an address: hexadecimal (EIP-55's capitals are only a check) and bech32 (BIP-173) are
 * the same in capitals and small letters; everything else, such as Base58 addresses of Tron and Bitcoin, is not.
 */
export const spelled = (text: string): string => (hex.test(text) || bech32.test(text) ? text.toLowerCase() : text);

/** The traces that an event tells of; none for most. */
export function tracesOf(recorded: RecordedEvent): Trace[] {
  const event = readPaymentEvent(recorded);
  const found: Trace[] = [
    ...addressesIn(event).map((value) => ({ kind: 'address' as const, value: spelled(value) })),
    ...hashesIn(event).map((value) => ({ kind: 'transaction' as const, value: spelled(value) })),
  ];
  return found.filter(({ value }) => value.length >= shortest);
}

function addressesIn(event: PaymentEvent): string[] {
  switch (event.type) {
    case 'PaymentRequested':
      return [...given(event.data.refundTo?.address), ...given(event.data.deposit?.address)];
    case 'InvoiceOpened':
      return given(event.data.payTo?.address);
    case 'TransferDetected':
    case 'TransferUpdated':
      return given(event.data.transfer.address);
    case 'RefundRequested':
      return given(event.data.payout.address);
    default:
      return [];
  }
}

function hashesIn(event: PaymentEvent): string[] {
  switch (event.type) {
    case 'TransferDetected':
    case 'TransferUpdated':
      return given(event.data.transfer.txHash);
    case 'RefundConfirmed':
      return given(event.data.txHash);
    default:
      return [];
  }
}

const given = (value: string | null | undefined): string[] => (value ? [value] : []);

import { PaymentGateway, type CallbackSays } from '../payments/payment-gateway.js';
import type { KeptMessage } from '../platform/event-store/event-store.pg.js';
import { printable, type Report } from './command.cli.js';
import { readKept } from './kept-callback.pg.js';
import type { Workspace } from './workspace.pg.js';

/** Everything that is known of one message: bytes, headers, verdict, what the present version reads, what it caused. */
export async function showMessage(workspace: Workspace, id: string): Promise<Report> {
  const gateway = (await workspace.commands()).get(PaymentGateway);
  const { message, text, events, ...found } = await readKept(workspace.store, gateway, id);
  const { digest, body, streamId: _, ...facts } = message;
  const json = {
    ...facts,
    digest: digest.toString('hex'),
    body: { bytes: body.length, base64: body.toString('base64'), text },
    ...found,
    events: events.map(({ id: eventId, version, type, recordedAt, actor }) => ({
      id: eventId,
      version,
      type,
      recordedAt,
      actor,
    })),
  };
  return { ok: true, json, text: describe(json, text ?? '', body).join('\n') };
}

const hashes: Readonly<Record<KeptMessage['hash'], string>> = {
  fits: 'as it was stored',
  differs: 'NOT as it was stored: somebody has changed it in the database',
  none: 'no hash was kept with it',
};

interface Shown extends Pick<
  KeptMessage,
  'id' | 'source' | 'subject' | 'status' | 'reason' | 'headers' | 'receivedAt' | 'lastReceivedAt' | 'receipts' | 'hash'
> {
  digest: string;
  body: { bytes: number; text: string | null };
  signature: { verdict: string } | null;
  says: CallbackSays | null;
  paymentId: string | null;
  events: { version: number; type: string; recordedAt: string; actor: string }[];
}

function describe(shown: Shown, text: string, body: Buffer): string[] {
  const { id, source, subject, status, reason, headers, receivedAt, lastReceivedAt, receipts, hash, events } = shown;
  const again = receipts === 1 ? '' : `, ${String(receipts)} times, last at ${lastReceivedAt}`;
  const rows: [string, string][] = [
    ['id', id],
    ['source', source],
    ['received', `${receivedAt}${again}`],
    ['verdict', reason === null ? status : `${status} (${reason})`],
    ['track id', subject ?? 'not known'],
    ['payment', shown.paymentId ?? 'not known'],
    ['signature', shown.signature?.verdict ?? 'none: an answer to a question'],
    ['stored', hashes[hash]],
    ['digest', shown.digest],
    ['says', saysLine(shown.says)],
  ];
  return [
    ...rows.map(([name, value]) => `${name.padEnd(12)}${value}`),
    ...block(
      'headers',
      Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    ),
    ...block(`body, ${String(body.length)} bytes`, bodyLines(shown.body.text === null ? null : text, body)),
    ...block(
      'caused',
      events.map(({ version, type, recordedAt, actor }) => `#${String(version)} ${type} at ${recordedAt} by ${actor}`),
    ),
  ];
}

const saysLine = (says: CallbackSays | null): string =>
  says === null
    ? 'see the body'
    : says.kind === 'unreadable'
      ? `unreadable: ${says.reason}`
      : `${says.kind} ${JSON.stringify(says.report)}`;

/** Each line is marked, so that text of others cannot pass for ours. */
const block = (name: string, lines: readonly string[]): string[] => [
  '',
  `${name}:${lines.length === 0 ? ' none' : ''}`,
  ...lines.map((line) => `  | ${line}`),
];

/** The text; in hex as well where a terminal cannot show it as it is, and in hex alone where it is no text. */
function bodyLines(text: string | null, body: Buffer): string[] {
  const lines = text?.split('\n') ?? ['not UTF-8'];
  return text !== null && printable(text) === text ? lines : [...lines, ...hexLines(body)];
}

const bytesPerLine = 32;

function hexLines(body: Buffer): string[] {
  const lines: string[] = [];
  for (let at = 0; at < body.length; at += bytesPerLine)
    lines.push(`${at.toString(16).padStart(5, '0')}  ${body.subarray(at, at + bytesPerLine).toString('hex')}`);
  return lines;
}

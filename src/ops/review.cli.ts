import { Option, type Command } from 'commander';
import { Clock, msOf, type Instant } from '../kernel/clock.js';
import { Ids } from '../kernel/ids.js';
import { openReviewOf, type Resolution } from '../payments/money.js';
import { ResolveReview } from '../payments/payment.handlers.js';
import { foldPayment } from '../payments/payment-stream.js';
import type { Payment } from '../payments/payment.js';
import type { LoadedPayment } from '../payments/payment-streams.pg.js';
import type { RefundTarget } from '../payments/refund.js';
import { resolveReview } from '../payments/review.js';
import { labelsOf, progressOf } from '../payments/standing.js';
import { limitIn } from './arguments.cli.js';
import { isProduction, withExamples, type Report, type Run } from './command.cli.js';
import { isAddress, isCoin, isNetwork, isProse } from './refund-target.js';
import type { Workspace } from './workspace.pg.js';

const decisions = ['accept', 'reject', 'credit', 'refund'] as const;

interface ReviewOptions {
  decision?: (typeof decisions)[number];
  actor?: string;
  reason?: string;
  address?: string;
  network?: string;
  currency?: string;
  memo?: string;
  yes?: boolean;
  json?: boolean;
}

/** Adds `review <payment>` and `review list`. */
export function reviewCommand(cli: Command, run: Run): void {
  const review = cli
    .command('review [payment]')
    .description('decides about a payment that waits for a person; who decides and why is recorded with the decision')
    .addOption(new Option('--decision <decision>', 'what becomes of it').choices(decisions))
    .option('--actor <who>', 'who decides: a name or an address, 128 characters at most')
    .option('--reason <why>', '1000 characters at most')
    .option('--address <address>', 'with refund: where the money goes, if the payment does not say')
    .option('--network <code>', 'of the address, such as TRON')
    .option('--currency <coin>', 'the coin to send, such as USDT; left out, the one that was paid')
    .option('--memo <text>', 'memo or destination tag, where the network has them')
    .option('--yes', 'do it; on production the command says otherwise what it would do, and exits with 1')
    .option('--json', 'one JSON value')
    .action((payment: string | undefined, options: ReviewOptions, command: Command) => {
      const { decision, actor, reason } = options;
      if (payment === undefined) return command.help({ error: true });
      if (decision === undefined || !isProse(actor, 128) || !isProse(reason, 1000))
        return command.error('error: --decision, --actor and --reason are all required, each on one line');
      const refundTo = refundToOf(options, command);
      const resolution = { decision, actor, note: reason, refundTo };
      return run(options, (workspace) => decide(workspace, payment, resolution, options.yes ?? false));
    });
  withExamples(
    review,
    'review 0198c0de-… --decision accept --actor support@shop.example --reason "the payer sent the rest by card"',
    'review 0198c0de-… --decision refund --address TQ5nVb… --network TRON --actor support@shop.example --reason "paid twice" --yes',
  );
  withExamples(
    review
      .command('list')
      .description('what waits for a person, of all applications, oldest payment first')
      .option('--limit <n>', '1 to 1000', '100')
      .option('--json', 'one JSON value')
      .action((_: object, command: Command) => {
        // The options that both commands have are the parent's.
        const options: { limit: string; json?: boolean } = command.optsWithGlobals();
        return run(options, (workspace) => list(workspace, options.limit));
      }),
    'review list',
  );
}

function refundToOf(
  { decision, address, network, currency, memo }: ReviewOptions,
  command: Command,
): RefundTarget | null {
  if (address === undefined && network === undefined && currency === undefined && memo === undefined) return null;
  if (decision !== 'refund') command.error('error: an address goes with --decision refund only');
  if (address === undefined || network === undefined)
    return command.error('error: give --address and --network together');
  if (!isAddress(address)) command.error('error: --address takes 10 to 128 letters, digits or . _ : -');
  if (!isNetwork(network)) command.error('error: --network takes the code of a network, such as TRON');
  if (currency !== undefined && !isCoin(currency))
    command.error('error: --currency takes the symbol of a coin, such as USDT');
  if (memo !== undefined && !isProse(memo, 100))
    command.error('error: --memo takes 100 characters at most, on one line');
  return { address, network, currency: currency ?? null, memo: memo ?? null };
}

async function decide(
  workspace: Workspace,
  id: string,
  resolution: Resolution & { refundTo: RefundTarget | null },
  yes: boolean,
): Promise<Report> {
  const before = await workspace.payment(id);
  const commands = await workspace.commands();
  if (isProduction(workspace) && !yes) {
    const refundTo = resolution.refundTo ?? before.payment.terms.refundTo ?? null;
    const events = resolveReview(before.payment, { ...resolution, refundTo }, false, commands.get(Clock).now());
    return {
      ok: false,
      json: { paymentId: id, decided: false, wouldAppend: events },
      text: [
        `${standingOf(before)}. The decision would append:`,
        ...events.map(({ type, data }) => `  ${type} ${JSON.stringify(data)}`),
        'Nothing was changed. Add --yes to do it.',
      ].join('\n'),
    };
  }
  const correlationId = commands.get(Ids).next();
  const cause = { actor: `operator:${resolution.actor}`, correlationId, causationId: correlationId };
  const after = await commands.execute<LoadedPayment>(new ResolveReview(id, resolution, cause));
  const added = after.events.filter((event) => event.correlationId === correlationId);
  return {
    ok: true,
    json: {
      paymentId: id,
      decided: true,
      status: after.payment.status,
      labels: labelsOf(after.payment),
      events: added,
    },
    text: [
      `${standingOf(after)}.`,
      ...added.map(({ version, type, data }) => `  #${String(version)} ${type} ${JSON.stringify(data)}`),
    ].join('\n'),
  };
}

const standingOf = ({ payment }: LoadedPayment): string => {
  const labels = labelsOf(payment);
  return `${payment.terms.id}, order ${payment.terms.orderId}: ${payment.status} / ${progressOf(payment)}${labels.length > 0 ? ` [${labels.join(', ')}]` : ''}`;
};

interface Waiting {
  paymentId: string;
  application: string;
  orderId: string;
  amount: string;
  currency: string;
  status: string;
  reasons: string[];
  openedAt: Instant;
  waitsSeconds: number;
}

const readAtOnce = 100;

/** Which they are says the read model; what each is about is read from the payment's own events. */
async function list(workspace: Workspace, limitText: string): Promise<Report> {
  const limit = limitIn(limitText);
  const { rows } = await workspace.pool.query<{ id: string; application: string | null }>(
    `select v.payment_id as id, a.name as application from payment_view v left join application a on a.id = v.application_id
     where v.review = 'open' order by v.payment_id limit $1`,
    [limit + 1],
  );
  const applications = new Map(rows.slice(0, limit).map(({ id, application }) => [id, application ?? '']));
  const ids = [...applications.keys()];
  const now = (await workspace.commands()).get(Clock).now();
  const waiting: Waiting[] = [];
  for (let at = 0; at < ids.length; at += readAtOnce) {
    const streams = await workspace.store.readMany(ids.slice(at, at + readAtOnce));
    for (const [id, { events }] of streams) {
      const found = waitingIn(foldPayment(events), applications.get(id) ?? '', now);
      if (found) waiting.push(found);
    }
  }
  waiting.sort((a, b) => (a.openedAt < b.openedAt ? -1 : 1));
  const lines = waiting.length === 0 ? ['Nothing waits for a person.'] : waiting.map(lineOf);
  const more = rows.length > limit ? ['There are more: raise --limit.'] : [];
  return { ok: true, json: waiting, text: [...lines, ...more].join('\n') };
}

/** Null where the read model is a moment behind and the review is decided. */
function waitingIn(payment: Payment, application: string, now: Instant): Waiting | null {
  const review = 'money' in payment ? openReviewOf(payment.money) : null;
  if (!review) return null;
  const { id, orderId, amount, currency } = payment.terms;
  return {
    ...{ paymentId: id, application, orderId, amount, currency, status: payment.status },
    reasons: review.reasons,
    openedAt: review.openedAt,
    waitsSeconds: Math.max(0, Math.floor((msOf(now) - msOf(review.openedAt)) / 1000)),
  };
}

const lineOf = (waiting: Waiting): string => {
  const { paymentId, application, orderId, amount, currency, status, reasons, openedAt, waitsSeconds } = waiting;
  return `${openedAt}  ${paymentId}  ${application}  order ${orderId}  ${amount} ${currency}  ${status}  waits ${age(waitsSeconds)}: ${reasons.join(', ')}`;
};

const age = (seconds: number): string =>
  seconds < 3600
    ? `${String(Math.floor(seconds / 60))} min`
    : seconds < 172_800
      ? `${String(Math.floor(seconds / 3600))} h`
      : `${String(Math.floor(seconds / 86_400))} days`;

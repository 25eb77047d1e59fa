import {
  Body,
  Controller,
  Get,
  Inject,
  Logger,
  Param,
  Post,
  Query,
  Req,
  Res,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Ids, isUuid } from '../kernel/ids.js';
import { Refusal, refusals } from '../kernel/refusal.js';
import type { LoadedPayment } from '../payments/payment-streams.pg.js';
import { asItWas, momentOf } from '../payments/time-travel.js';
import { leadTo, sendPage } from '../platform/http/page.controller.js';
import { refusalOf } from '../platform/http/problem.js';
import { Audit } from './audit.pg.js';
import type { AuditEntry } from './audit-entry.js';
import { ConsoleActs, type Done } from './console-acts.pg.js';
import { paymentPath } from './console-text.page.js';
import { ConsoleFilter, CurrentOperator, fieldOf, OperatorGuard, type Operator } from './operator.controller.js';
import { PaymentActs } from './payment-acts.handlers.js';
import { PaymentDesk } from './payment-desk.pg.js';
import { actionAt, readAction, type Asked } from './payment-forms.js';
import { standingPart, type Standing } from './payment-standing.page.js';
import { paymentPage, type PaymentPage } from './payment.page.js';

/** One payment: how it stands and stood, why, and what an operator can do about it. */
@ApiExcludeController()
@Controller('ops/payments')
@UseFilters(ConsoleFilter)
@UseGuards(OperatorGuard)
export class ConsolePaymentController {
  private readonly logger = new Logger('console');

  constructor(
    @Inject(PaymentDesk) private readonly desk: PaymentDesk,
    @Inject(PaymentActs) private readonly acts: PaymentActs,
    @Inject(ConsoleActs) private readonly forms: ConsoleActs,
    @Inject(Audit) private readonly audit: Audit,
    @Inject(Ids) private readonly ids: Ids,
  ) {}

  @Get(':id')
  async show(
    @Param('id') id: string,
    @Query() query: unknown,
    @CurrentOperator() viewer: Operator,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const loaded = await this.desk.payment(id);
    const [moment, request] = [fieldOf(query, 'asOf'), fieldOf(query, 'done')];
    const { applicationId } = loaded.payment.terms;
    const notice = isUuid(request) ? await this.forms.notice(applicationId, request) : null;
    return sendPage(reply, await this.page(loaded, viewer, { standing: standingAt(loaded, moment), notice }));
  }

  /** What the slider exchanges of the page. */
  @Get(':id/versions/:version')
  async version(
    @Param() { id, version }: Record<'id' | 'version', string>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    return sendPage(reply, standingPart(standingAt(await this.desk.payment(id), version)));
  }

  /** Does what a form asks for, once, and leads back to the page, which tells what came of it. */
  @Post(':id/:act')
  async act(
    @Param() { id, act }: Record<'id' | 'act', string>,
    @Body() body: unknown,
    @CurrentOperator() operator: Operator,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const action = actionAt(act);
    if (action === null) throw new Refusal('not_found', 'There is no such action.');
    const loaded = await this.desk.payment(id);
    const sent = readAction(action, (name) => fieldOf(body, name));
    const token = fieldOf(body, 'request');
    if (!isUuid(token)) throw new Refusal('malformed_request', 'The form is not whole; load its page anew.');
    const { asked } = sent;
    if (asked === null) {
      const refused = { sent, why: 'Please look at:', isUnsure: false };
      return sendPage(reply, await this.page(loaded, operator, { refused }), 422);
    }
    const { applicationId } = loaded.payment.terms;
    const perform = (): Promise<Done> => this.perform(id, asked, operator, { token, correlationId: request.id });
    try {
      return leadTo(reply, await this.forms.once(applicationId, token, JSON.stringify([id, asked]), perform));
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === null) throw error;
      const { status } = refusals[refusal.code];
      // It may have been done all the same: the same request again finds that out, and a new one could do it twice.
      const isUnsure = refusal.code === 'service_unavailable';
      const page = { refused: { sent, why: refusal.detail, isUnsure }, ...(isUnsure && { request: token }) };
      return sendPage(reply, await this.page(await this.desk.payment(id), operator, page), status);
    }
  }

  /** Acts, unless its events are there already: whoever did it has not lived to tell. Keeps a record in either case. */
  private async perform(
    id: string,
    asked: Asked,
    { name, role }: Operator,
    { token, correlationId }: { token: string; correlationId: string },
  ): Promise<Done> {
    const who = name === '' ? 'unnamed' : name;
    const cause = { actor: `operator:${who}`, correlationId, causationId: token };
    const entry = { ...entryOf(id, asked), actor: who, role };
    const record = (outcome: AuditEntry['outcome'], told: string): Promise<void> =>
      this.audit.record(
        { ...entry, outcome, detail: { ...entry.detail, told } },
        { correlationId, causationId: token },
      );
    const loaded = await this.desk.payment(id);
    const isDone = loaded.events.some(({ causationId }) => causationId === token);
    let notice: string;
    try {
      notice = isDone ? 'This was done when the form was first sent.' : await this.acts.act(loaded, asked, who, cause);
    } catch (error) {
      const refusal = refusalOf(error);
      await record(refusal === null ? 'failed' : 'refused', refusal?.detail ?? String(error)).catch((lost: unknown) => {
        this.logger.error({ msg: 'an action could not be recorded', id, action: entry.action, error: String(lost) });
      });
      throw error;
    }
    await record('done', notice);
    return { notice, location: `${paymentPath(id)}?done=${token}` };
  }

  private async page(
    loaded: LoadedPayment,
    viewer: Operator,
    {
      standing = standingAt(loaded, ''),
      notice = null,
      refused = null,
      request = this.ids.next(),
    }: Partial<PaymentPage>,
  ) {
    const [life, application] = await Promise.all([this.desk.lifeOf(loaded), this.desk.applicationOf(loaded)]);
    return paymentPage({ viewer, application, life, standing, request, notice, refused });
  }
}

/** Throws `Refusal`: `malformed_request` where no moment is named, `not_found` where the payment did not exist yet. */
function standingAt(loaded: LoadedPayment, text: string): Standing {
  if (text === '') return { ...loaded, asOf: null };
  const moment = momentOf(text);
  if (moment === null)
    throw new Refusal('malformed_request', 'A moment is a version or a time, such as 3 or 2026-01-31T12:00:00Z.');
  const past = asItWas(loaded.events, moment);
  return past.asOf.version === past.asOf.newestVersion && 'version' in moment ? { ...past, asOf: null } : past;
}

type Entry = Pick<AuditEntry, 'action' | 'target' | 'reason' | 'detail'>;

function entryOf(paymentId: string, { reason, ...asked }: Asked): Entry {
  const entry = { action: `payment.${asked.action}`, reason, target: { kind: 'payment' as const, id: paymentId } };
  switch (asked.action) {
    case 'review':
      return { ...entry, detail: { decision: asked.decision, refundTo: asked.refundTo && { ...asked.refundTo } } };
    case 'refund':
      return { ...entry, detail: { ...asked.wish, to: { ...asked.wish.to } } };
    case 'redeliver':
      return { ...entry, target: { kind: 'delivery', id: asked.delivery }, detail: { paymentId } };
    case 'reprocess':
      return { ...entry, detail: { believedRetiredKey: asked.retired } };
    default:
      return { ...entry, detail: null };
  }
}

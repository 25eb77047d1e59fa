import { readFileSync } from 'node:fs';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { baseStyle } from '../platform/http/assets.controller.js';
import type { Html } from '../platform/http/html.js';
import { expectSameSite } from './control.controller.js';
import { WireFault } from './envelope.js';
import type { FakeGateway } from './fake-gateway.js';
import type { Payment } from './ledger.js';
import { actionsFor } from './payer-actions.js';
import { submit } from './payer-forms.js';
import { addressPicture, notFoundPage, payerPage } from './payer.page.js';
import { pathPart, queryOf, textOf } from './requests.js';
import type { Time } from './time.job.js';

interface PayerWorld {
  gateway: FakeGateway;
  time: Time;
  flush: () => void;
  /** Where the merchant's service shows a payment, by its order id; null where that is not known. */
  merchantPage: ((orderId: string) => string) | null;
}

const policy =
  "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const mostNoticeLetters = 300;

const style = [...baseStyle, new URL('./payer.css', import.meta.url)]
  .map((file) => readFileSync(file, 'utf8'))
  .join('\n');

const sendPage = (reply: FastifyReply, status: number, { text }: Html): FastifyReply =>
  reply
    .code(status)
    .header('content-security-policy', policy)
    .header('x-content-type-options', 'nosniff')
    .header('referrer-policy', 'no-referrer')
    .header('cache-control', 'no-store')
    .type('text/html; charset=utf-8')
    .send(text);

const trackIdOf = (request: FastifyRequest): string => pathPart(request, 'trackId');

/** The payer's page, its buttons and its forms: no script. */
export function servePayer(app: FastifyInstance, world: PayerWorld): void {
  const { gateway, merchantPage } = world;
  app.get('/pay.css', (_request, reply) =>
    reply.type('text/css; charset=utf-8').header('cache-control', 'no-cache').send(style),
  );
  app.get('/pay/:trackId', (request, reply) => {
    const payment = gateway.payment(trackIdOf(request));
    if (!payment) return sendPage(reply, 404, notFoundPage());
    const { notice } = queryOf(request);
    const shown = typeof notice === 'string' ? notice.slice(0, mostNoticeLetters) : '';
    const leadsTo = payment.orderId === '' || payment.type === 'static_address' ? null : merchantPage;
    const content = { payment, nowMs: gateway.nowMs, actions: actionsFor(payment), notice: shown };
    return sendPage(reply, 200, payerPage({ ...content, merchantPage: leadsTo?.(payment.orderId) ?? null }));
  });
  app.get('/pay/:trackId/qr.svg', (request, reply) => {
    const payment = gateway.payment(trackIdOf(request));
    if (!payment?.address) return sendPage(reply, 404, notFoundPage());
    return reply.type('image/svg+xml').send(addressPicture(payment.address));
  });
  app.post('/pay/:trackId/:form', async (request, reply) => {
    const payment = gateway.payment(trackIdOf(request));
    const notice = payment && (await noticeOf(world, request, payment));
    if (!payment || notice === null || notice === undefined) return sendPage(reply, 404, notFoundPage());
    world.flush();
    const shown = encodeURIComponent(notice.slice(0, mostNoticeLetters));
    return reply.redirect(`/pay/${payment.trackId}?notice=${shown}`, 303);
  });
}

/** What a form did, or why it did nothing; null where there is no such form. */
async function noticeOf(
  { gateway, time }: PayerWorld,
  request: FastifyRequest,
  payment: Payment,
): Promise<string | null> {
  try {
    expectSameSite(request);
    const advance = (seconds: number): Promise<void> => time.advance(seconds);
    const stage = { gateway, payment, tellAll: false, advance };
    const done = await submit(pathPart(request, 'form'), stage, textOf(request));
    await time.deliver(payment);
    return done;
  } catch (error) {
    if (error instanceof WireFault) return `Nothing happened: ${error.message.replace(/\.$/, '')}.`;
    throw error;
  }
}

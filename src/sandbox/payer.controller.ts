import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { expectSameSite } from './control.controller.js';
import { WireFault } from './envelope.js';
import type { FakeGateway } from './fake-gateway.js';
import { payerActions, perform } from './payer-actions.js';
import { payerStyle } from './payer-style.js';
import { addressPicture, notFoundPage, payerPage } from './payer.page.js';
import { pathPart, queryOf, textOf } from './requests.js';
import type { Time } from './time.job.js';

interface PayerWorld {
  gateway: FakeGateway;
  time: Time;
  flush: () => void;
}

const policy =
  "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const mostNoticeLetters = 300;

const sendPage = (reply: FastifyReply, status: number, page: string): FastifyReply =>
  reply
    .code(status)
    .header('content-security-policy', policy)
    .header('x-content-type-options', 'nosniff')
    .header('referrer-policy', 'no-referrer')
    .header('cache-control', 'no-store')
    .type('text/html; charset=utf-8')
    .send(page);

const trackIdOf = (request: FastifyRequest): string => pathPart(request, 'trackId');

/** The payer's page and its buttons: plain forms, no script. */
export function servePayer(app: FastifyInstance, world: PayerWorld): void {
  const { gateway } = world;
  app.get('/pay.css', (_request, reply) => reply.type('text/css; charset=utf-8').send(payerStyle));
  app.get('/pay/:trackId', (request, reply) => {
    const payment = gateway.payment(trackIdOf(request));
    if (!payment) return sendPage(reply, 404, notFoundPage());
    const { notice } = queryOf(request);
    const shown = typeof notice === 'string' ? notice.slice(0, mostNoticeLetters) : '';
    return sendPage(reply, 200, payerPage({ payment, nowMs: gateway.nowMs, actions: payerActions, notice: shown }));
  });
  app.get('/pay/:trackId/qr.svg', (request, reply) => {
    const payment = gateway.payment(trackIdOf(request));
    if (!payment?.address) return sendPage(reply, 404, notFoundPage());
    return reply.type('image/svg+xml').send(addressPicture(payment.address));
  });
  app.post('/pay/:trackId/actions', async (request, reply) => {
    const payment = gateway.payment(trackIdOf(request));
    if (!payment) return sendPage(reply, 404, notFoundPage());
    const notice = await noticeOf(world, request);
    world.flush();
    return reply.redirect(
      `/pay/${payment.trackId}?notice=${encodeURIComponent(notice.slice(0, mostNoticeLetters))}`,
      303,
    );
  });
}

async function noticeOf({ gateway, time }: PayerWorld, request: FastifyRequest): Promise<string> {
  const payment = gateway.payment(trackIdOf(request));
  if (!payment) return '';
  const action = new URLSearchParams(textOf(request)).get('action') ?? '';
  try {
    expectSameSite(request);
    const advance = (seconds: number): Promise<void> => time.advance(seconds);
    const done = await perform(action, { gateway, payment, tellAll: false, advance });
    await time.deliver(payment);
    return done ?? 'There is no such button.';
  } catch (error) {
    if (error instanceof WireFault) return `Nothing happened: ${error.message}.`;
    throw error;
  }
}

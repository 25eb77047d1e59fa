import { Controller, Get, Inject, Query, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { isCreditEvent, readCreditEvent } from '../customers/credit.js';
import { paymentOfFulfillment, isFulfillmentEvent } from '../fulfillment/fulfillment.js';
import { isPaymentEvent } from '../payments/payment-stream.js';
import { ApiKeyGuard, Caller } from '../platform/http/api-key.controller.js';
import type { Application } from '../platform/http/applications.pg.js';
import { LogReader } from '../platform/event-store/log-reader.pg.js';
import type { RecordedEvent } from '../kernel/event.js';
import { answerEvent, EventListAnswer } from './answers.js';
import { Refuses } from './problems.js';
import { FeedQuery, limitOf } from './queries.js';
import { queryPipe } from './validation.js';

/** How far one request reads through other applications' events. */
const scanAtMost = 5000;

@ApiTags('events')
@ApiBearerAuth()
@Controller('v1/events')
@UseGuards(ApiKeyGuard)
export class EventsController {
  constructor(@Inject(LogReader) private readonly log: LogReader) {}

  @Get()
  @ApiOperation({
    summary: "The application's feed of events, gap-free and in order",
    description:
      'Go on with `after` = `nextCursor`. An empty page whose `nextCursor` equals `after` is the end for now.',
  })
  @ApiOkResponse({ type: EventListAnswer })
  @Refuses('malformed_request')
  async feed(@Caller() caller: Application, @Query(queryPipe) query: FeedQuery) {
    const limit = limitOf(query, 100);
    const after = parseInt(query.after ?? '0', 10);
    const read = await this.log.read(after, scanAtMost);
    const own = read.filter((event) => event.tenant === caller.id).slice(0, limit);
    const reached = own.length === limit ? own.at(-1) : read.at(-1);
    return {
      items: own.map((event) => answerEvent(event, paymentOf(event))),
      nextCursor: String(reached?.position ?? after),
    };
  }
}

/** The payment that an event is about; null for events of other kinds, whose streams are nobody's to know. */
function paymentOf(event: RecordedEvent): string | null {
  if (isPaymentEvent(event)) return event.streamId;
  if (isCreditEvent(event)) return readCreditEvent(event).data.paymentId;
  return isFulfillmentEvent(event) ? paymentOfFulfillment(event.streamId) : null;
}

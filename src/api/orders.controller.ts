import { Controller, Get, Inject, Param, Query, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiKeyGuard, Caller } from '../platform/http/api-key.controller.js';
import type { Application } from '../platform/http/applications.pg.js';
import { OrderAnswer, OrderListAnswer } from './answers.js';
import { OrderReader } from './order-reader.js';
import { Refuses } from './problems.js';
import { OrderQuery, OrdersQuery } from './queries.js';
import { queryPipe } from './validation.js';

@ApiTags('orders')
@ApiBearerAuth()
@Controller('v1/orders')
@UseGuards(ApiKeyGuard)
export class OrdersController {
  constructor(@Inject(OrderReader) private readonly reader: OrderReader) {}

  @Get()
  @ApiOperation({ summary: 'Orders, newest first' })
  @ApiOkResponse({ type: OrderListAnswer })
  @Refuses('malformed_request', 'invalid_cursor')
  list(@Caller() caller: Application, @Query(queryPipe) query: OrdersQuery) {
    return this.reader.list(caller.id, query);
  }

  @Get(':orderId')
  @ApiOperation({ summary: 'One order with its payments' })
  @ApiOkResponse({ type: OrderAnswer })
  @Refuses('not_found', 'malformed_request')
  get(@Caller() caller: Application, @Param('orderId') orderId: string, @Query(queryPipe) query: OrderQuery) {
    return this.reader.order(caller.id, orderId, query.minPosition);
  }
}

import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Req,
  Res,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import {
  ApiBearerAuth,
  ApiBody,
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiProperty,
  ApiPropertyOptional,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import { IsIn, IsNotEmpty, IsOptional, IsString, MaxLength } from 'class-validator';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { endsIdleAt, lastActivity, type DepositAddress } from '../deposits/deposit-address.js';
import { OpenDepositAddress, RevokeDepositAddress } from '../deposits/deposit-address.handlers.js';
import { DepositAddresses, type LoadedAddress } from '../deposits/deposit-addresses.pg.js';
import { Clock, type Instant } from '../kernel/clock.js';
import { Ids, isUuid } from '../kernel/ids.js';
import { Refusal } from '../kernel/refusal.js';
import { GatewayOutcomeUnknown, GatewayRefused, GatewayUnavailable } from '../payments/payment-gateway.js';
import { ApiKeyGuard, Caller } from '../platform/http/api-key.controller.js';
import type { Application } from '../platform/http/applications.pg.js';
import { IdempotencyInterceptor } from '../platform/http/idempotency.controller.js';
import { DepositAddressList, type AddressEntry } from '../read-models/deposit-addresses.pg.js';
import { addressExamples } from './body-examples.js';
import { causeOf } from './cause.js';
import { ChangesAndRefuses, Refuses } from './problems.js';
import { limitOf, listOf, PageQuery, readCursor, type List } from './queries.js';
import { IsNetwork, NoControls } from './rules.js';
import { ApiSettings } from './settings.js';
import { bodyPipe, queryPipe } from './validation.js';

class CreateDepositAddressRequest {
  @ApiProperty({ example: 'customer-42', maxLength: 128, description: 'Whose credit the deposits are.' })
  @IsString()
  @IsNotEmpty()
  @MaxLength(128)
  @NoControls()
  customerId!: string;

  @ApiProperty({ example: 'TRON', description: "The network's code at the gateway; any of its coins may be sent." })
  @IsNetwork()
  network!: string;
}

class DepositAddressesQuery extends PageQuery {
  @ApiPropertyOptional({ example: 'customer-42' })
  @IsOptional()
  @IsString()
  @MaxLength(128)
  @NoControls()
  customerId?: string;

  @ApiPropertyOptional({ enum: ['opening', 'open', 'revoked', 'refused'] })
  @IsOptional()
  @IsIn(['opening', 'open', 'revoked', 'refused'])
  status?: string;
}

class DepositAddressAnswer {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ example: 'customer-42' }) customerId!: string;
  @ApiProperty({ example: 'TRON' }) network!: string;
  @ApiProperty({
    enum: ['opening', 'open', 'revoked', 'refused'],
    description: '`opening`: the gateway has not given it yet. `revoked`: what is sent there now may be lost.',
  })
  status!: string;
  @ApiProperty({ type: String, nullable: true, example: 'TSandboxAddressNotForUse0000000000' }) address!: string | null;
  @ApiProperty({
    type: String,
    nullable: true,
    description:
      'Memo or destination tag. Where there is one, money without it is lost: show it as large as the address.',
  })
  memo!: string | null;
  @ApiProperty({ type: String, nullable: true, example: 'Tron Network' }) networkName!: string | null;
  @ApiProperty({ type: String, nullable: true }) trackId!: string | null;
  @ApiProperty({ example: 3, description: 'How many transfers came to it; each is a payment of its own.' })
  deposits!: number;
  @ApiProperty({ format: 'date-time' }) createdAt!: string;
  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'When the gateway ends it, if nothing is sent there until then (six months without a transaction).',
  })
  endsIdleAt!: string | null;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) revokedAt!: string | null;
  @ApiProperty({ enum: ['application', 'gateway'], type: String, nullable: true }) revokedBy!: string | null;
}

class NewDepositAddressAnswer extends DepositAddressAnswer {
  @ApiProperty({
    example: 1041,
    description: 'Where the newest of its events stands in the feed; 0 where nothing was added.',
  })
  position!: number;
}

class DepositAddressListAnswer {
  @ApiProperty({ type: [DepositAddressAnswer] }) items!: DepositAddressAnswer[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

@ApiTags('deposit addresses')
@ApiBearerAuth()
@Controller('v1/deposit-addresses')
@UseGuards(ApiKeyGuard)
@UseInterceptors(IdempotencyInterceptor)
export class DepositAddressesController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(DepositAddresses) private readonly addresses: DepositAddresses,
    @Inject(DepositAddressList) private readonly entries: DepositAddressList,
    @Inject(ApiSettings) private readonly settings: ApiSettings,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Ids) private readonly ids: Ids,
  ) {}

  @Post()
  @ApiOperation({
    summary: 'Get the deposit address of a customer on a network',
    description:
      'One address per customer and network: a repeat answers with the one that stands (200). Every transfer to it becomes a payment of its own and is credited to the customer. ' +
      'A 202 means that the gateway has not given it yet; repeat the request, or read it by its id.',
  })
  @ApiBody({ type: CreateDepositAddressRequest, examples: addressExamples })
  @ApiCreatedResponse({ type: NewDepositAddressAnswer })
  @ApiOkResponse({ type: NewDepositAddressAnswer, description: 'It was there already' })
  @ApiResponse({ status: 202, type: NewDepositAddressAnswer, description: '`opening`' })
  @ChangesAndRefuses('gateway_refused')
  async create(
    @Caller() caller: Application,
    @Body(bodyPipe) body: CreateDepositAddressRequest,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AddressView & { position: number }> {
    const terms = {
      id: this.ids.next(),
      applicationId: caller.id,
      customerId: body.customerId,
      network: body.network.toUpperCase(),
      sandbox: this.settings.sandbox,
      requestedAt: this.clock.now(),
    };
    const { address, position } = await this.commands.execute<OpenDepositAddress, LoadedAddress>(
      new OpenDepositAddress(terms, causeOf(caller, request)),
    );
    if (address.status === 'refused')
      throw new Refusal('gateway_refused', `The gateway refused the address: ${address.refusal ?? ''}`);
    const status = address.status === 'opening' ? 202 : address.terms.id === terms.id ? 201 : 200;
    void reply.status(status).header('location', `/v1/deposit-addresses/${address.terms.id}`);
    return { ...viewAddress(address), position };
  }

  @Get()
  @ApiOperation({ summary: 'List deposit addresses, newest first' })
  @ApiOkResponse({ type: DepositAddressListAnswer })
  @Refuses('malformed_request', 'invalid_cursor')
  async list(
    @Caller() caller: Application,
    @Query(queryPipe) query: DepositAddressesQuery,
  ): Promise<List<AddressView>> {
    const { cursor, limit: _, ...filter } = query;
    const page = { limit: limitOf(query), after: readCursor(caller.id, cursor) };
    const rows = await this.entries.page(caller.id, filter, page);
    return listOf(rows, page.limit, caller.id, ({ id }) => id, viewEntry);
  }

  @Get(':id')
  @ApiOperation({ summary: 'One deposit address, always current' })
  @ApiOkResponse({ type: DepositAddressAnswer })
  @Refuses('not_found')
  async get(@Caller() caller: Application, @Param('id') id: string): Promise<AddressView> {
    const found = isUuid(id) ? await this.addresses.find(id) : null;
    if (found?.address.terms.applicationId !== caller.id) throw unknownAddress();
    return viewAddress(found.address);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Revoke a deposit address',
    description:
      'The gateway credits nothing more that comes to it; what was seen before is credited as ever. Transfers that come later are still recorded. Safe to repeat.',
  })
  @ApiNoContentResponse()
  @ChangesAndRefuses('not_found', 'gateway_refused', 'gateway_unavailable')
  async revoke(@Caller() caller: Application, @Param('id') id: string, @Req() request: FastifyRequest): Promise<void> {
    if (!isUuid(id)) throw unknownAddress();
    try {
      await this.commands.execute(new RevokeDepositAddress(id, caller.id, causeOf(caller, request)));
    } catch (error) {
      throw refusalOfGateway(error);
    }
  }
}

const unknownAddress = (): Refusal => new Refusal('not_found', 'There is no deposit address with this id.');

function refusalOfGateway(error: unknown): unknown {
  if (error instanceof GatewayRefused)
    return new Refusal('gateway_refused', `The gateway refused to revoke the address: ${error.message}`);
  if (error instanceof GatewayUnavailable || error instanceof GatewayOutcomeUnknown)
    return new Refusal(
      'gateway_unavailable',
      'The gateway did not confirm it; nothing was changed here. Please repeat.',
    );
  return error;
}

/** As it is answered; documented by `DepositAddressAnswer`. */
type AddressView = Omit<AddressEntry, 'activeAt'> & { endsIdleAt: Instant | null };

function viewAddress(address: DepositAddress): AddressView {
  const { terms, opened, status, seen, revoked } = address;
  return viewEntry({
    id: terms.id,
    customerId: terms.customerId,
    network: terms.network,
    status,
    trackId: opened?.trackId ?? null,
    address: opened?.address ?? null,
    memo: opened?.memo ?? null,
    networkName: opened?.network ?? null,
    deposits: seen.length,
    createdAt: terms.requestedAt,
    activeAt: lastActivity(address),
    revokedAt: revoked?.at ?? null,
    revokedBy: revoked?.by ?? null,
  });
}

const viewEntry = ({ activeAt, status, ...entry }: AddressEntry): AddressView => ({
  ...entry,
  status,
  endsIdleAt: status === 'open' ? endsIdleAt(activeAt) : null,
});

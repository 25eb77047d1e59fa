import { Controller, Get, Inject, Param, Query, UseGuards } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiProperty,
  ApiPropertyOptional,
  ApiTags,
} from '@nestjs/swagger';
import { IsOptional, maxLength } from 'class-validator';
import { CreditAccounts, type LoadedCredit } from '../customers/credit-streams.pg.js';
import { transactionsOf, type Entry, type Transaction } from '../customers/ledger.js';
import { Refusal } from '../kernel/refusal.js';
import { showAmount } from '../payments/payment-view.js';
import { ApiKeyGuard, Caller } from '../platform/http/api-key.controller.js';
import type { Application } from '../platform/http/applications.pg.js';
import { Refuses } from './problems.js';
import { limitOf, listOf, PageQuery, readCursor, unknownCursor, type List } from './queries.js';
import { hasControls, IsCurrency } from './rules.js';
import { queryPipe } from './validation.js';

class LedgerQuery extends PageQuery {
  @ApiPropertyOptional({ example: 'USD', description: 'Only the account in this currency' })
  @IsOptional()
  @IsCurrency()
  currency?: string;
}

class CurrencyBalanceAnswer {
  @ApiProperty({ example: 'USD' }) currency!: string;
  @ApiProperty({ example: '5.00', description: 'What the customer may spend; never below zero.' }) balance!: string;
}

class BalanceAnswer {
  @ApiProperty({ example: 'customer-17' }) customerId!: string;
  @ApiProperty({
    type: [CurrencyBalanceAnswer],
    description: 'One for each currency that the customer was credited in, or that a payment asked for credit in.',
  })
  balances!: CurrencyBalanceAnswer[];
}

class EntryAnswer {
  @ApiProperty({ example: 'customer:customer-17', description: '`customer:<customerId>` or `payment:<paymentId>`.' })
  account!: string;
  @ApiProperty({ type: String, nullable: true, example: null }) debit!: string | null;
  @ApiProperty({ type: String, nullable: true, example: '5.00' }) credit!: string | null;
}

class TransactionAnswer {
  @ApiProperty({ format: 'uuid', description: 'The event that it follows from.' }) id!: string;
  @ApiProperty({ format: 'date-time' }) at!: string;
  @ApiProperty({
    enum: ['credited', 'spent', 'returned'],
    description:
      '`credited`: a payment left money for the customer; `spent`: it paid for a part of a payment; `returned`: that payment came to nothing.',
  })
  type!: string;
  @ApiProperty({
    type: String,
    nullable: true,
    example: 'overpayment',
    description: 'The clause of the policy that gave the credit; null for other types.',
  })
  reason!: string | null;
  @ApiProperty({ format: 'uuid' }) paymentId!: string;
  @ApiProperty({ example: 'USD' }) currency!: string;
  @ApiProperty({ example: '5.00', description: 'As the customer sees it: negative where it was spent.' })
  amount!: string;
  @ApiProperty({ example: '5.00', description: 'The balance in this currency after it.' }) balance!: string;
  @ApiProperty({
    type: [EntryAnswer],
    description: 'Its double entries: all debits together are all credits together.',
  })
  entries!: EntryAnswer[];
}

class LedgerAnswer {
  @ApiProperty({ type: [TransactionAnswer] }) items!: TransactionAnswer[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

const customerParam = ApiParam({
  name: 'customerId',
  example: 'customer-17',
  description: 'Your own id of the customer, as payments carry it: 1 to 128 characters, no control characters',
});

@ApiTags('customers')
@ApiBearerAuth()
@Controller('v1/customers')
@UseGuards(ApiKeyGuard)
export class CustomersController {
  constructor(@Inject(CreditAccounts) private readonly accounts: CreditAccounts) {}

  @Get(':customerId/balance')
  @ApiOperation({ summary: "A customer's credit in each currency, always current" })
  @customerParam
  @ApiOkResponse({ type: BalanceAnswer })
  @Refuses('not_found')
  async balance(@Caller() caller: Application, @Param('customerId') customerId: string): Promise<BalanceAnswer> {
    const accounts = await this.accounts.list(caller.id, possible(customerId));
    const balances = accounts.flatMap(({ account }) =>
      account ? [{ currency: account.currency, balance: showAmount(account.balance, account.currency) }] : [],
    );
    return { customerId, balances };
  }

  @Get(':customerId/ledger')
  @ApiOperation({
    summary: "The transactions of a customer's credit with their double entries, newest first, always current",
  })
  @customerParam
  @ApiOkResponse({ type: LedgerAnswer })
  @Refuses('not_found', 'malformed_request', 'invalid_cursor')
  async ledger(
    @Caller() caller: Application,
    @Param('customerId') customerId: string,
    @Query(queryPipe) query: LedgerQuery,
  ): Promise<List<TransactionAnswer>> {
    const after = readCursor(caller.id, query.cursor);
    const transactions = newestFirst(await this.read(caller.id, possible(customerId), query.currency));
    const from = after === null ? 0 : transactions.findIndex(({ id }) => id === after) + 1;
    if (after !== null && from === 0) throw unknownCursor();
    return listOf(transactions.slice(from), limitOf(query), caller.id, ({ id }) => id, answerTransaction);
  }

  private async read(applicationId: string, customerId: string, currency: string | undefined): Promise<LoadedCredit[]> {
    if (currency === undefined) return this.accounts.list(applicationId, customerId);
    return [await this.accounts.load({ applicationId, customerId, currency })];
  }
}

/** Throws `Refusal('not_found')` for an id that no payment can carry; any other may be a customer without credit. */
function possible(customerId: string): string {
  // The same measure as for the field of a payment.
  if (customerId === '' || hasControls(customerId) || !maxLength(customerId, 128))
    throw new Refusal('not_found', 'There can be no customer with this id.');
  return customerId;
}

const newestFirst = (accounts: readonly LoadedCredit[]): Transaction[] =>
  accounts.flatMap(({ events }) => transactionsOf(events)).sort((a, b) => b.position - a.position);

function answerTransaction(transaction: Transaction): TransactionAnswer {
  const { id, at, type, reason, paymentId, currency, amount, balance, entries } = transaction;
  return {
    id,
    at,
    type,
    reason,
    paymentId,
    currency,
    amount: showAmount(amount, currency),
    balance: showAmount(balance, currency),
    entries: entries.map((entry) => answerEntry(entry, currency)),
  };
}

const answerEntry = ({ account, debit, credit }: Entry, currency: string): EntryAnswer => ({
  account,
  debit: debit === null ? null : showAmount(debit, currency),
  credit: credit === null ? null : showAmount(credit, currency),
});

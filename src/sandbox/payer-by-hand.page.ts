import { html, nothing, type Html } from '../platform/http/html.js';
import { plain } from './amounts.js';
import { usualCoin } from './commands.js';
import { paymentStatuses, type Payment } from './ledger.js';
import { coins, networkFor } from './market.js';
import { missing } from './settlement.js';

/** The same as the sandbox's control routes, for whatever no button does. */
export const byHand = (payment: Payment): Html =>
  html`<section class="card" aria-labelledby="by-hand">
    <h2 id="by-hand">${payment.type === 'static_address' ? 'Deposit, and more by hand' : 'By hand'}</h2>
    ${handForm(
      payment,
      'transfers',
      html`<div>
          <label for="amount">Worth in ${payment.currency}</label>
          <input
            id="amount"
            name="amount"
            inputmode="decimal"
            autocomplete="off"
            required
            value="${suggested(payment)}"
          />
        </div>
        <div>
          <label for="currency">Sent in</label>
          <select id="currency" name="currency">
            ${coinsFor(payment).map((symbol) => option(symbol, usualCoin(payment).currency))}
          </select>
        </div>
        <div>
          <label for="seen">Confirmations</label>
          <input id="seen" name="confirmations" inputmode="numeric" value="0" />
        </div>`,
      'Send',
    )}
    ${handForm(
      payment,
      'confirmations',
      html`<div>
        <label for="count">Confirmations of every transfer</label>
        <input id="count" name="count" inputmode="numeric" required value="1" />
      </div>`,
      'Set',
    )}
    ${handForm(
      payment,
      'status',
      html`<div>
        <label for="status">Status at the gateway</label>
        <select id="status" name="status">
          ${paymentStatuses.map((status) => option(status, payment.status))}
        </select>
        <label><input type="checkbox" name="callback" value="true" checked /> and tell it by a callback</label>
      </div>`,
      'Set',
    )}
    ${handForm(
      payment,
      'clock',
      html`<div>
        <label for="seconds">Move the clock, for the service too</label>
        <select id="seconds" name="seconds">
          ${jumps.map(([label, length]) => html`<option value="${length}">${label}</option>`)}
        </select>
      </div>`,
      'Move',
    )}
  </section>`;

const jumps: readonly (readonly [string, number])[] = [
  ['1 minute', 60],
  ['15 minutes', 900],
  ['1 hour', 3600],
  ['1 day', 86_400],
  ['3 days', 259_200],
];

const names: Readonly<Record<string, string>> = {
  transfers: 'Send a transfer',
  confirmations: 'Set the confirmations',
  status: 'Set the status',
  clock: 'Move the clock',
};

const handForm = ({ trackId }: Payment, name: string, fields: Html, label: string): Html =>
  html`<form class="by-hand" method="post" action="/pay/${trackId}/${name}" aria-label="${names[name] ?? name}">
    ${fields}
    <button class="quiet" aria-label="${names[name] ?? label}">${label}</button>
  </form>`;

const option = (value: string, chosen: string): Html =>
  html`<option ${value === chosen ? html`selected` : nothing}>${value}</option>`;

/** What a payer who does everything right would send next. */
const suggested = (payment: Payment): string => {
  const rest = missing(payment);
  return rest.gt('0') ? plain(rest) : '10';
};

/** Once a payment has an address, only the coins of its network can arrive there. */
const coinsFor = ({ address, network }: Payment): string[] =>
  coins.map(({ symbol }) => symbol).filter((symbol) => address === '' || networkFor(symbol, network) !== undefined);

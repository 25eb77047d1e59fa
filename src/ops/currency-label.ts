/**
 * The currencies that metrics tell apart, a closed list: the same in every process, whichever it saw first. Any other
 * is `other`.
 */
const told: ReadonlySet<string> = new Set(
  (
    'USD EUR GBP JPY CNY INR BRL CAD AUD CHF TRY RUB AED IRR KRW MXN ' +
    'USDT USDC BTC ETH LTC TRX BNB SOL TON DOGE XMR BCH DAI'
  ).split(' '),
);

export const currencyLabel = (currency: string): string => (told.has(currency) ? currency : 'other');

import { Decimal } from './amounts.js';

/** A chain of the sandbox. `required` is how many confirmations its transfers need, as `/common/currencies` says. */
export interface Network {
  code: string;
  name: string;
  aliases: readonly string[];
  required: number;
  address: AddressForm;
  memo?: boolean;
}
export type AddressForm = 'tron' | 'evm' | 'bitcoin' | 'litecoin' | 'base58';

const network = (
  code: string,
  name: string,
  aliases: string,
  required: number,
  address: AddressForm,
  memo = false,
): Network => ({ code, name, aliases: aliases.split(' '), required, address, ...(memo && { memo }) });

export const networks: readonly Network[] = [
  network('TRON', 'Tron Network', 'trx trc20 tron', 19, 'tron'),
  network('ETH', 'Ethereum Network', 'eth erc20 ethereum', 10, 'evm'),
  network('BSC', 'BSC Network', 'bsc bep20 bnb', 15, 'evm'),
  network('POLYGON', 'Polygon Network', 'polygon pol matic', 100, 'evm'),
  network('BTC', 'Bitcoin Network', 'btc bitcoin', 2, 'bitcoin'),
  network('LTC', 'Litecoin Network', 'ltc litecoin', 6, 'litecoin'),
  network('DOGE', 'Dogecoin Network', 'doge dogecoin', 20, 'base58'),
  network('BCH', 'Bitcoin Cash Network', 'bch bitcoincash', 6, 'base58'),
  network('SOL', 'Solana Network', 'sol solana spl', 32, 'base58'),
  network('TON', 'Ton Network', 'ton', 1, 'base58', true),
  network('XMR', 'Monero Network', 'xmr monero', 10, 'base58'),
  network('XRP', 'Ripple Network', 'xrp xrpl ripple', 1, 'base58', true),
];

/** A coin: its fixed price in US dollars, and the networks it lives on, the default one first. */
export interface Coin {
  symbol: string;
  name: string;
  price: string;
  networks: readonly string[];
}

const coin = (symbol: string, name: string, price: string, on: string): Coin => ({
  symbol,
  name,
  price,
  networks: on.split(' '),
});

// Every price has only the prime factors 2 and 5, so that any amount converts into any coin without a rounding rest.
export const coins: readonly Coin[] = [
  coin('BTC', 'Bitcoin', '100000', 'BTC'),
  coin('ETH', 'Ethereum', '4000', 'ETH'),
  coin('USDT', 'Tether', '1', 'TRON ETH BSC POLYGON SOL TON'),
  coin('USDC', 'USD Coin', '1', 'ETH BSC POLYGON SOL'),
  coin('BNB', 'BNB', '640', 'BSC'),
  coin('DOGE', 'Dogecoin', '0.2', 'DOGE'),
  coin('POL', 'Polygon', '0.4', 'POLYGON'),
  coin('LTC', 'Litecoin', '80', 'LTC'),
  coin('SOL', 'Solana', '160', 'SOL'),
  coin('TRX', 'Tron', '0.25', 'TRON'),
  coin('SHIB', 'Shiba Inu', '0.00001', 'ETH BSC'),
  coin('TON', 'Toncoin', '3.2', 'TON'),
  coin('XMR', 'Monero', '250', 'XMR'),
  coin('DAI', 'Dai', '1', 'ETH BSC POLYGON'),
  coin('BCH', 'Bitcoin Cash', '500', 'BCH'),
  coin('NOT', 'Notcoin', '0.002', 'TON'),
  coin('DOGS', 'Dogs', '0.0001', 'TON'),
  coin('XRP', 'Ripple', '2', 'XRP'),
];

interface Fiat {
  symbol: string;
  name: string;
  price: string;
  digits: number;
}

const fiat = (symbol: string, name: string, price: string, digits = 2): Fiat => ({ symbol, name, price, digits });

export const fiats: readonly Fiat[] = [
  fiat('USD', 'US Dollar', '1'),
  fiat('EUR', 'Euro', '1.1'),
  fiat('GBP', 'Pound Sterling', '1.3'),
  fiat('CHF', 'Swiss Franc', '1.2'),
  fiat('CAD', 'Canadian Dollar', '0.72'),
  fiat('AUD', 'Australian Dollar', '0.65'),
  fiat('JPY', 'Japanese Yen', '0.0065', 0),
  fiat('CNY', 'Chinese Yuan', '0.14'),
  fiat('INR', 'Indian Rupee', '0.012'),
  fiat('BRL', 'Brazilian Real', '0.18'),
  fiat('TRY', 'Turkish Lira', '0.025'),
  fiat('PLN', 'Polish Zloty', '0.27'),
  fiat('SEK', 'Swedish Krona', '0.1'),
  fiat('AED', 'UAE Dirham', '0.272'),
  fiat('KWD', 'Kuwaiti Dinar', '3.25', 3),
];

const coinBySymbol = new Map(coins.map((entry) => [entry.symbol, entry]));
const priceBySymbol = new Map([...fiats, ...coins].map((entry) => [entry.symbol, new Decimal(entry.price)]));
const networkByWord = new Map(
  networks.flatMap((entry) =>
    [entry.code, entry.name, ...entry.aliases].map((word): [string, Network] => [word.toLowerCase(), entry]),
  ),
);

export const coinOf = (symbol: string): Coin | undefined => coinBySymbol.get(symbol.toUpperCase());
/** US dollars for one unit; undefined for a currency that the sandbox does not know. */
export const priceOf = (symbol: string): Decimal | undefined => priceBySymbol.get(symbol.toUpperCase());
/** Finds a chain by its code, a token standard or its display name, in any case. */
export const networkOf = (word: string): Network | undefined => networkByWord.get(word.trim().toLowerCase());

const priced = (symbol: string): Decimal => {
  const price = priceOf(symbol);
  if (!price) throw new Error(`no price for ${symbol}`);
  return price;
};

export const toUsd = (amount: Decimal, currency: string): Decimal => amount.times(priced(currency));
export const fromUsd = (usd: Decimal, currency: string): Decimal => usd.div(priced(currency));

/** The network to use for a coin: the one asked for where the coin lives on it, else the coin's first. */
export function networkFor(symbol: string, wanted: string | null): Network | undefined {
  const found = coinOf(symbol);
  if (!found) return undefined;
  const chosen = wanted === null ? networkOf(found.networks[0] ?? '') : networkOf(wanted);
  return chosen && found.networks.includes(chosen.code) ? chosen : undefined;
}

/** The chain behind a code that the sandbox itself stored. */
export function storedNetwork(code: string): Network {
  const found = networkOf(code);
  if (!found) throw new Error(`no network ${code}`);
  return found;
}

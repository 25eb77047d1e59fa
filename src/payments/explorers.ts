/*
 * Where the public sees a transaction. The gateway prints networks as codes (TRON, TRC20) and as names ("Tron Network").
 */

const hex = /^[0-9a-f]{64}$/i;
const evm = /^0x[0-9a-f]{64}$/i;
const base58 = /^[1-9A-HJ-NP-Za-km-z]{80,90}$/;
const ton = /^(?:[0-9a-f]{64}|[A-Za-z0-9_-]{43}=?)$/i;

interface Explorer {
  /** How the gateway may call the network, in lower case and without the word "network". */
  names: readonly string[];
  hash: RegExp;
  address: string;
}

const explorers: readonly Explorer[] = [
  { names: ['tron', 'trx', 'trc20'], hash: hex, address: 'https://tronscan.org/#/transaction/' },
  { names: ['ethereum', 'eth', 'erc20'], hash: evm, address: 'https://etherscan.io/tx/' },
  {
    names: ['bsc', 'bep20', 'bnb', 'binance smart chain', 'bnb smart chain'],
    hash: evm,
    address: 'https://bscscan.com/tx/',
  },
  { names: ['polygon', 'pol', 'matic'], hash: evm, address: 'https://polygonscan.com/tx/' },
  { names: ['bitcoin', 'btc'], hash: hex, address: 'https://mempool.space/tx/' },
  { names: ['litecoin', 'ltc'], hash: hex, address: 'https://litecoinspace.org/tx/' },
  { names: ['dogecoin', 'doge'], hash: hex, address: 'https://blockchair.com/dogecoin/transaction/' },
  {
    names: ['bitcoin cash', 'bitcoincash', 'bch'],
    hash: hex,
    address: 'https://blockchair.com/bitcoin-cash/transaction/',
  },
  { names: ['solana', 'sol', 'spl'], hash: base58, address: 'https://solscan.io/tx/' },
  { names: ['ton', 'the open'], hash: ton, address: 'https://tonviewer.com/transaction/' },
  { names: ['monero', 'xmr'], hash: hex, address: 'https://xmrchain.net/tx/' },
  { names: ['ripple', 'xrp', 'xrpl', 'xrp ledger'], hash: hex, address: 'https://xrpscan.com/tx/' },
];

const byName = new Map(explorers.flatMap((explorer) => explorer.names.map((name) => [name, explorer] as const)));

/**
 * The page of a public explorer that shows the transaction; null where the network is not known, and where the hash is
 * none of that network's (the gateway's sandbox prints `sandbox`, some payments print nothing).
 */
export function explorerOf(network: string, txHash: string): string | null {
  const name = network
    .toLowerCase()
    .replace(/\bnetwork\b/, '')
    .trim();
  const explorer = byName.get(name);
  return explorer?.hash.test(txHash) ? explorer.address + txHash : null;
}

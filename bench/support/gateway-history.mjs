// A gateway that opens invoices, knows them all, pages through them by number as OxaPay does, and counts what it is asked.
// GET /_asked tells of that, POST /_pay/N has one payment in N be paid, POST /_forget begins to count anew.
import { createServer } from 'node:http';

const rows = [];
const byTrack = new Map();
let asked = {};
let shown = new Set();

const seconds = () => Math.floor(Date.now() / 1000);
const envelope = (status, data) => ({
  status,
  body: { data, message: 'as asked', error: {}, status, version: '1.0.0' },
});

const open = ({ order_id: orderId, amount, currency, lifetime = 60 }) => {
  const date = seconds();
  const row = { track_id: String(100_000_000 + rows.length), type: 'invoice', amount, currency, status: 'waiting', mixed_payment: true, fee_paid_by_payer: 0, under_paid_coverage: 0, lifetime, order_id: orderId, expired_at: date + lifetime * 60, date, txs: [] }; // prettier-ignore
  rows.push(row);
  byTrack.set(row.track_id, row);
  return envelope(200, { track_id: row.track_id, payment_url: `http://127.0.0.1/pay/${row.track_id}`, expired_at: row.expired_at, date }); // prettier-ignore
};

const pay = (row) => {
  row.status = 'paid';
  row.txs = [{ tx_hash: `hash-${row.track_id}`, amount: row.amount, currency: 'USDT', network: 'Tron Network', address: 'TAddress', status: 'confirmed', confirmations: 30, auto_convert: { processed: false, amount: 0, currency: null }, auto_withdrawal: { processed: false }, date: row.date + 1 }]; // prettier-ignore
};

const page = (query) => {
  const number = (name) => parseInt(query.get(name) ?? '', 10);
  const [from, to, at, size] = ['from_date', 'to_date', 'page', 'size'].map(number);
  const found = rows.filter(({ date }) => date >= from && date <= to);
  const list = found.slice((at - 1) * size, at * size);
  for (const { track_id: id } of list) shown.add(id);
  return envelope(200, { list, meta: { page: at, last_page: Math.max(1, Math.ceil(found.length / size)), total: found.length } }); // prettier-ignore
};

const count = (what) => {
  asked[what] = (asked[what] ?? 0) + 1;
};

const answerTo = (method, { pathname, searchParams }, body) => {
  const [, , , trackId] = pathname.split('/');
  if (method === 'POST' && pathname === '/v1/payment/invoice') return (count('invoice'), open(JSON.parse(body)));
  if (pathname === '/v1/payment') return (count('pages'), page(searchParams));
  if (pathname === '/v1/common/fiats') return (count('prices'), envelope(404, {}));
  if (pathname === '/v1/common/prices') return (count('prices'), envelope(200, { USDT: 1, BTC: 60_000 }));
  if (pathname.startsWith('/v1/payment/') && byTrack.has(trackId)) {
    count('single');
    shown.add(trackId);
    return envelope(200, byTrack.get(trackId));
  }
  if (pathname.startsWith('/_pay/')) rows.forEach((row, n) => n % Number(pathname.slice(6)) === 7 && pay(row));
  if (pathname === '/_forget') [asked, shown] = [{}, new Set()];
  if (pathname.startsWith('/_')) return { status: 200, body: { asked, shown: shown.size, payments: rows.length } };
  count('other');
  return envelope(404, {});
};

const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (chunk) => (body += chunk));
  request.on('end', () => {
    const { status, body: answer } = answerTo(request.method, new URL(request.url, 'http://x'), body);
    const text = JSON.stringify(answer);
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
    response.end(text);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.env.PORT), '127.0.0.1', () => process.stdout.write('ready\n'));

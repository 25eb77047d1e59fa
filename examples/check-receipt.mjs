// Checks a receipt of Finality without the service, its database or any package: node examples/check-receipt.mjs receipt.json
// --public-key <base64> says whose signature counts, and may be given again for a key that was in use before; without it the
// receipt is checked against the keys that it names itself.
// What is checked: 1. the chain of hashes over every event, 2. the signature, 3. that what it says at a glance is what its
// events say, 4. the way from its head to a signed checkpoint of the log. Exit code 0: all of it holds. 1: something does not.
import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';

const [path, ...options] = process.argv.slice(2);
const trusted = options.filter((_, at) => at % 2 === 1);
if (!path || options.length % 2 || options.some((option, at) => at % 2 === 0 && option !== '--public-key')) {
  console.error('usage: node check-receipt.mjs <receipt.json> [--public-key <base64>]…');
  process.exit(64);
}

const fail = (where, what) => {
  console.error(`NOT PROVEN: ${where}: ${what}`);
  process.exit(1);
};

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

/** Fields one after the other, each behind its length in bytes and a colon; null is a lone hyphen. */
const joined = (fields) =>
  fields.map((field) => (field === null ? '-' : `${Buffer.byteLength(String(field))}:${field}`)).join('');

/** An object with exactly these fields: nothing may be added that nobody has signed. */
const exactly = (value, where, names) => {
  const found = value && typeof value === 'object' ? Object.keys(value).sort().join(' ') : 'nothing';
  if (found !== [...names].sort().join(' '))
    fail(where, `it should have the fields ${names.join(', ')}, and has ${found}`);
  return value;
};

const parsed = (text, where) => {
  try {
    return JSON.parse(text);
  } catch (error) {
    return fail(where, `it is not JSON (${error.message})`);
  }
};

/** Ed25519 over a text, by a key that is trusted where the reader said whom to trust. */
const signed = (where, publicKey, text, signature) => {
  const bytes = Buffer.from(String(signature), 'base64');
  if (bytes.toString('base64') !== signature) fail(where, 'the signature is not base64 as it is written');
  const raw = Buffer.from(String(publicKey), 'base64');
  if (raw.length !== 32 || raw.toString('base64') !== publicKey)
    fail(where, 'the public key is not 32 bytes in base64');
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]);
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  if (!verify(null, Buffer.from(text), key, bytes)) fail(where, 'the signature is not over what stands there');
  if (trusted.length > 0 && !trusted.includes(publicKey))
    fail(where, `it is signed with ${publicKey}, which is not the key that you trust`);
};

const receipt = parsed(readFileSync(path, 'utf8'), 'the file');
exactly(receipt, 'the receipt', [
  'format',
  'issuedAt',
  'payment',
  'events',
  'head',
  'checkpoint',
  'publicKey',
  'signature',
]);
const { format, issuedAt, payment, events, head, checkpoint, publicKey, signature } = receipt;
if (format !== 'finality-receipt-1') fail('format', `"${format}" is not a format that is known here`);

// 1. Each event's hash is over the hash before it and its own fields; whoever changes one has to change all that follow.
const fields = [
  'streamId',
  'version',
  'id',
  'type',
  'schemaVersion',
  'recordedAt',
  'tenant',
  'actor',
  'correlationId',
  'causationId',
  'data',
];
if (!Array.isArray(events) || events.length === 0) fail('events', 'there are none');
let last = Buffer.alloc(32);
for (const [at, event] of events.entries()) {
  const where = `event ${at + 1} (${event?.type})`;
  exactly(event, where, [...fields, 'hash']);
  if (event.version !== at + 1) fail(where, `its version is ${event.version}: an event is missing or out of order`);
  if (event.streamId !== events[0].streamId) fail(where, 'it is of another payment');
  last = sha256(last, joined(fields.map((name) => event[name])));
  if (event.hash !== last.toString('hex'))
    fail(where, 'it is not what was hashed: it, its hash or the event before it was changed');
}
exactly(head, 'head', ['version', 'hash']);
if (head.version !== events.length || head.hash !== last.toString('hex')) fail('head', 'it is not the last event');

// 2. The signature covers the summary and the head, and by the head every event.
const summary = ['id', 'orderId', 'status', 'amount', 'currency', 'received', 'paidAt', 'closedAt'];
exactly(payment, 'payment', summary);
const text = joined([format, issuedAt, ...summary.map((name) => payment[name]), head.version, head.hash, publicKey]);
signed('signature', publicKey, text, signature);

// 3. What it says at a glance is what the events say.
const terms = parsed(events[0].data, 'event 1');
const paid = events.findLast(({ type }) => type === 'PaymentPaid');
if (payment.id !== events[0].streamId) fail('payment', 'its id is not that of the events');
for (const name of ['orderId', 'currency'])
  if (payment[name] !== terms[name]) fail('payment', `its ${name} is not what the first event says`);
const plain = (amount) =>
  String(amount)
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '');
if (plain(payment.amount) !== plain(terms.amount)) fail('payment', 'its amount is not what the first event says');
if ((payment.status === 'paid') !== (paid !== undefined)) fail('payment', 'its status is not what the events say');

// 4. A head of the payment is a leaf of the tree whose root the checkpoint signs (RFC 6962).
let sealed = null;
if (checkpoint !== null) {
  exactly(checkpoint, 'checkpoint', ['statement', 'signature', 'head', 'index', 'path']);
  const statement = parsed(checkpoint.statement, 'checkpoint');
  if (statement.format !== 'finality-checkpoint-1') fail('checkpoint', 'its format is not known here');
  signed('checkpoint', statement.publicKey, checkpoint.statement, checkpoint.signature);
  if (!Array.isArray(checkpoint.head) || !Array.isArray(checkpoint.path))
    fail('checkpoint', 'its head and its path have to be lists');
  const [streamId, version, hash] = checkpoint.head;
  if (streamId !== payment.id || events[version - 1]?.hash !== hash)
    fail('checkpoint', 'its head is not an event of this payment');
  let node = sha256(Buffer.from([0]), JSON.stringify(checkpoint.head));
  let used = 0;
  let at = checkpoint.index;
  for (let width = statement.heads.count; width > 1; width = Math.ceil(width / 2)) {
    if ((at ^ 1) < width) {
      const neighbour = Buffer.from(String(checkpoint.path[used++]), 'hex');
      if (neighbour.toString('hex') !== checkpoint.path[used - 1])
        fail('checkpoint', `path ${used} is not hex as it is written`);
      node = sha256(Buffer.from([1]), ...(at % 2 ? [neighbour, node] : [node, neighbour]));
    }
    at >>= 1;
  }
  const wrong = at !== 0 || used !== checkpoint.path.length || node.toString('hex') !== statement.heads.root;
  if (wrong) fail('checkpoint', 'the way from the payment to the sealed root does not lead there');
  sealed = { version, ...statement };
}

console.log(
  `Proven: payment ${payment.id} for order ${payment.orderId}, ${payment.amount} ${payment.currency}, is ${payment.status}.`,
);
if (paid)
  console.log(
    `It was paid at ${payment.paidAt}, by event ${paid.version} (${paid.type}, ${paid.id}), recorded at ${paid.recordedAt}.`,
  );
console.log(
  `Its ${events.length} events are whole and in order, and signed at ${issuedAt} with ${publicKey}${trusted.length > 0 ? ', the key that you trust' : ' (say whom you trust with --public-key)'}.`,
);
if (sealed)
  console.log(
    `Its first ${sealed.version} events were sealed by checkpoint ${sealed.number} at ${sealed.createdAt}${sealed.publicKey === publicKey ? '' : `, signed with ${sealed.publicKey}`}; whoever has that file can compare it.`,
  );
else console.log('It was not sealed by a checkpoint yet when this was issued; a later receipt will be.');

/** What the commands of the walk through a first payment speak to. */
export interface Walk {
  publicUrl: string;
  sandboxUrl: string;
  /** Null: the command takes it from the environment. */
  apiKey: string | null;
  /** A reference that no payment has yet. */
  orderId: string;
  /** A payment that is there already; null: the first step makes one. */
  payment: { id: string; trackId: string } | null;
}

export interface Step {
  title: string;
  says: string;
  command: string;
}

/** The first payment by the API, each step a command for a POSIX shell with curl and Node.js. */
export function stepsOf({ publicUrl, sandboxUrl, apiKey, orderId, payment }: Walk): Step[] {
  const authorization = `-H "Authorization: Bearer ${apiKey ?? '$API_KEY'}"`;
  const json = `-H 'Content-Type: application/json'`;
  const [id, trackId] = payment ? [payment.id, payment.trackId] : ['$ID', '$TRACK'];
  const ask = (path: string): string => `curl -s "${publicUrl}/v1/payments/${id}${path}" \\\n  ${authorization}`;
  const create = [
    `PAYMENT=$(curl -s ${publicUrl}/v1/payments \\`,
    `  ${authorization} \\`,
    `  ${json} \\`,
    `  -d '{"orderId":"${orderId}","amount":"49.90","currency":"USD"}')`,
    'echo "$PAYMENT"',
    `ID=$(node -p 'JSON.parse(process.argv[1]).id' "$PAYMENT")`,
    `TRACK=$(node -p 'JSON.parse(process.argv[1]).trackId' "$PAYMENT")`,
  ];
  const pay = (act: string, body: string): string =>
    `curl -s "${sandboxUrl}/_sandbox/payments/${trackId}/${act}" \\\n  ${json} \\\n  -d '${body}'`;
  return [
    ...(payment
      ? []
      : [
          {
            title: 'Create a payment',
            says: 'The answer is pending, with the paymentUrl that a payer would be sent to and the statusUrl that tells how it goes.',
            command: create.join('\n'),
          },
        ]),
    {
      title: 'Send the money',
      says: 'The whole amount, seen on the network without a confirmation yet. The sandbox sends a signed callback, as the gateway would.',
      command: pay('transfers', '{"percent":100}'),
    },
    {
      title: 'Ask why it is not complete',
      says: 'The explanation names what it waits for, the rule that decides, and the events that prove it.',
      command: ask('/explanation'),
    },
    {
      title: 'Let the network confirm it',
      says: 'The gateway calls it paid; Finality asks the gateway itself whether that is so, and only then lets goods go.',
      command: pay('confirmations', '{"count":30}'),
    },
    {
      title: 'See what became of it',
      says: 'fulfillable is the one field that a shop needs. Every step is kept as an event.',
      command: `${ask('')}\n${ask('/events')}`,
    },
  ];
}

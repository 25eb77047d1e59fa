/** So many callers do `operation(caller)` again and again for so long. Answers how long all took, and each time (ms). */
export const closedLoop = async ({ callers, ms: wanted, operation }) => {
  const times = [];
  const began = performance.now();
  const caller = async (number) => {
    for (let at = performance.now(); at - began < wanted; at = performance.now()) {
      await operation(number);
      times.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, number) => caller(number)));
  return { ms: performance.now() - began, times };
};

/** What every store is given to write: 330 bytes, and whom it came from. */
export const sampleEvent = (n) => ({
  type: 'GatewayReported',
  data: {
    trackId: String(100_000_000 + n),
    status: 'paid',
    witness: 'callback',
    amount: '49.90',
    currency: 'USD',
    transfers: [{ txHash: `${n}`.padStart(64, 'a'), sent: '49.90', currency: 'USDT', network: 'Tron Network', confirmations: 20 }],
    note: 'an event of about three hundred and thirty bytes',
    at: '2026-01-01T00:00:00.000Z',
  },
}); // prettier-ignore

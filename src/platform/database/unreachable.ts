// Classes of SQLSTATE: connection, resources, operator's intervention (shut down, timed out), the system under it. And
// the one state of a database that takes no writes: a standby, or one that was fenced off.
const sqlState = /^(?:(?:08|53|57|58)[0-9A-Z]{3}|25006)$/;
const systemCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'EAI_AGAIN',
]);
// pg and its pool give these no code.
const messages =
  /^(?:timeout exceeded when trying to connect|timeout expired|Connection terminated|Client has encountered a connection error|Query read timeout)/;

/** Whether an error says that the database is away or overloaded, as opposed to refusing what it was asked. */
export function isUnreachable(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const code: unknown = 'code' in error ? error.code : undefined;
  if (typeof code === 'string') return sqlState.test(code) || systemCodes.has(code);
  return 'message' in error && typeof error.message === 'string' && messages.test(error.message);
}

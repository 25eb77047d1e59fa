/** What an error of the database says about a statement that was sent. */
export type Fault =
  /** Another transaction was first (unique violation, deadlock, serialisation): nothing was written. */
  | 'lost_race'
  /** The database refused these values: nothing was written and trying again cannot help. */
  | 'refused'
  /** The connection or the server went away, or there was none: written or not, nobody knows. */
  | 'unknown';

const lostRaces = new Set(['23505', '40P01', '40001']);
// Classes of SQLSTATE that blame the statement or its values. Everything else is the server's or the network's trouble.
const blamingClasses = new Set(['21', '22', '23', '42', '0A', '2F', 'P0']);

export function faultOf(error: unknown): Fault {
  const code: unknown = error instanceof Error && 'code' in error && 'severity' in error ? error.code : undefined;
  if (typeof code !== 'string') return 'unknown';
  if (lostRaces.has(code)) return 'lost_race';
  return blamingClasses.has(code.slice(0, 2)) ? 'refused' : 'unknown';
}

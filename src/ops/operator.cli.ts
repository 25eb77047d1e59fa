import { hostname, userInfo } from 'node:os';

/** Who gives this command, for the record: `operator:<user>@<host>`. */
export const operatorHere = (): string => `operator:${userName()}@${hostname()}`;

/** A container may run under a number that has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid-${String(process.getuid?.() ?? 'unknown')}`;
  }
}

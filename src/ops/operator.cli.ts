import { hostname } from 'node:os';
import { userName } from '../platform/database/operator-lock.pg.js';

/** Who gives this command, for the record: `operator:<user>@<host>`. */
export const operatorHere = (): string => `operator:${userName()}@${hostname()}`;

import pg from 'pg';

/** As many connections as the other yardsticks have. */
export const boundedPool = (connectionString, max = 16) =>
  new pg.Pool({ connectionString, max }).on('error', () => undefined);

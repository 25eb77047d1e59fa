/**
 * Generated histories are the same in every run, so that a change is judged by itself and not by chance. `PROPERTY_SEED`
 * (any integer) generates others: worth a few runs with each change to the decisions.
 */
export const seed = parseInt(process.env['PROPERTY_SEED'] ?? '20260131', 10);

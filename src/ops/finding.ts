/** What is looked at; each has its place in the runbook, docs/operations.md. */
export const doctorChecks = [
  'configuration',
  'public URL',
  'database',
  'durability',
  'connections',
  'disk',
  'clocks',
  'gateway',
  'log',
  'followers',
  'jobs',
  'deliveries',
  'callbacks',
  'reviews',
  'reconciliation',
  'checkpoints',
  'verification',
  'match',
] as const;
export type Check = (typeof doctorChecks)[number];

/** What the doctor found about one thing, and what to do where it is not well. */
export interface Finding {
  check: Check;
  status: 'ok' | 'warn' | 'fail';
  detail: string;
  advice: string | null;
}

export const ok = (check: Check, detail: string): Finding => ({ check, status: 'ok', detail, advice: null });
export const warn = (check: Check, detail: string, advice: string): Finding => ({
  check,
  status: 'warn',
  detail,
  advice,
});
export const fail = (check: Check, detail: string, advice: string): Finding => ({
  check,
  status: 'fail',
  detail,
  advice,
});

import { msOf } from '../kernel/clock.js';
import { lastCheckpoint } from '../platform/proof/checkpoints.pg.js';
import { lastVerification } from '../platform/proof/verification.job.js';
import { lastMatch } from '../reconciliation/match-reports.pg.js';
import { firstEventAt } from './book-backlogs.pg.js';
import { fail, ok, warn, type Finding } from './finding.js';
import type { Workspace } from './workspace.pg.js';

/** The looks at the whole store and the matches are made once a day. */
const dailyWithinHours = 26;

const hoursSince = ({ clock }: Workspace, time: string): number =>
  Math.floor((msOf(clock.now()) - msOf(time)) / 3_600_000);

/** Whether there have been events for so long that what never happened should have. */
async function isOlderThan(workspace: Workspace, hours: number): Promise<boolean> {
  const first = await firstEventAt(workspace.pool);
  return first !== null && hoursSince(workspace, first) > hours;
}

/** Whether the log is sealed on schedule. */
export async function checkpoints(workspace: Workspace): Promise<Finding[]> {
  const { config, pool } = workspace;
  const last = await lastCheckpoint(pool);
  if (last === null && config.gateway === 'oxapay' && config.checkpointKeys.length === 0)
    return [warn('checkpoints', 'none are made: there is no key', 'Set CHECKPOINT_KEY: openssl rand -base64 32')];
  if (last === null)
    return [
      (await isOlderThan(workspace, dailyWithinHours))
        ? warn(
            'checkpoints',
            'none was ever made',
            'Is the service running, and can it write to CHECKPOINT_DIR? finality checkpoint',
          )
        : ok('checkpoints', 'none is made yet'),
    ];
  const text = `number ${String(last.number)} of ${last.createdAt} seals the log up to position ${String(last.upTo)}`;
  const late = hoursSince(workspace, last.createdAt) * 60 > 2 * config.checkpointMinutes + 60;
  return [
    late
      ? warn('checkpoints', text, 'Is the service running, and can it write to CHECKPOINT_DIR? finality checkpoint')
      : ok('checkpoints', text),
  ];
}

/** Whether the whole store was looked at lately, and what was found. */
export async function verification(workspace: Workspace): Promise<Finding[]> {
  const last = await lastVerification(workspace.pool);
  if (last === null)
    return [
      (await isOlderThan(workspace, dailyWithinHours))
        ? warn(
            'verification',
            'the service never looked at the whole store',
            'Is it running? To look now: finality verify',
          )
        : ok('verification', 'the service has not looked at the whole store yet'),
    ];
  if (last.breaks > 0) {
    const text = `${String(last.breaks)} places are not as they were written (${last.endedAt})`;
    return [fail('verification', text, 'Stop writing, keep a copy, and see which: finality verify')];
  }
  const text = `${String(last.events)} events and ${String(last.messages)} messages were whole at ${last.endedAt}`;
  return [
    hoursSince(workspace, last.endedAt) > dailyWithinHours
      ? warn('verification', text, 'Is the service running? To look now: finality verify')
      : ok('verification', text),
  ];
}

/** Whether yesterday was held against the gateway's history and the ledger, and agreed. */
export async function match(workspace: Workspace): Promise<Finding[]> {
  const last = await lastMatch(workspace.pool);
  if (last === null)
    return [
      (await isOlderThan(workspace, dailyWithinHours + 2))
        ? warn('match', 'no day was ever matched', 'Does the gateway answer? To make one: finality match')
        : ok('match', 'no day was matched yet'),
    ];
  const text = `${last.day}: ${String(last.payments)} payments, ${String(last.differences)} differences`;
  if (last.differences > 0) return [warn('match', text, `See them: finality match --day ${last.day}`)];
  return [
    hoursSince(workspace, last.madeAt) > dailyWithinHours + 2
      ? warn('match', `${text}; none was made since`, 'Does the gateway answer? To make one: finality match')
      : ok('match', text),
  ];
}

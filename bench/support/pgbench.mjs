// pgbench where the machine has it. A yardstick of this machine; nothing needs it.
import { execFile, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sampleEvent } from './closed-loop.mjs';

export const hasPgbench = () => spawnSync('pgbench', ['--version'], { stdio: 'ignore' }).status === 0;

const data = JSON.stringify(sampleEvent(1).data).replaceAll("'", "''");
const script = `insert into floor.event (stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id, data, hash)
 values (uuidv7(), 1, uuidv7(), 'GatewayReported', 1, now(), uuidv7(), 'gateway', uuidv7(), uuidv7(), '${data}', sha256('a'));
`;

/** The same row inserted by pgbench for so long. */
export const pgbenchFor = async ({ url, directory, clients, ms }) => {
  const file = join(directory, 'append.sql');
  await writeFile(file, script);
  const seconds = String(Math.max(1, Math.round(ms / 1000)));
  const args = ['-n', '-M', 'prepared', '-c', String(clients), '-j', '2', '-T', seconds, '-f', file, url];
  const { stdout } = await promisify(execFile)('pgbench', args);
  const perSecond = Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
  return { perSecond, p50: Number(/latency average = ([\d.]+)/.exec(stdout)?.[1]) };
};

// pgbench where the machine has it. A yardstick of this machine; nothing needs it.
import { execFile, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sampleEvent } from './closed-loop.mjs';

export const hasPgbench = () => spawnSync('pgbench', ['--version'], { stdio: 'ignore' }).status === 0;

const data = JSON.stringify(sampleEvent(1).data).replaceAll("'", "''");
const event = `insert into floor.event (stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id, data, hash)
 select id, 1, uuidv7(), 'GatewayReported', 1, now(), uuidv7(), 'gateway', uuidv7(), uuidv7(), '${data}', sha256('a') from new`;
const evidence = `insert into floor.inbox (stream_id, digest, id, source, subject, status, body, received_at, last_received_at, headers, hash)
 select id, sha256(id::text::bytea), uuidv7(), 'callback' || chr(58) || 'default', id::text, 'applied', '${data}', now(), now(), '{"content-type":"application/json"}', sha256('a') from new`;
const key = `insert into floor.stream_key (scope, key, stream_id) select 'bench', id::text, id from new`;
const scripts = {
  event: `with new as materialized (select uuidv7() as id) ${event};\n`,
  full: `with new as materialized (select uuidv7() as id), e as (${event}), i as (${evidence}) ${key};\n`,
};

/** The same row inserted by pgbench for so long; `full`: with its evidence and a key, in one statement. */
export const pgbenchFor = async ({ url, directory, clients, ms, kind = 'event' }) => {
  const file = join(directory, `${kind}.sql`);
  await writeFile(file, scripts[kind]);
  const seconds = String(Math.max(1, Math.round(ms / 1000)));
  const args = ['-n', '-M', 'prepared', '-c', String(clients), '-j', '2', '-T', seconds, '-f', file, url];
  const { stdout } = await promisify(execFile)('pgbench', args);
  const perSecond = Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
  return { perSecond, p50: Number(/latency average = ([\d.]+)/.exec(stdout)?.[1]) };
};

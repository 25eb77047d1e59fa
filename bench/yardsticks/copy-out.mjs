// How fast the server can hand out the log at all, and a client take it.
import pg from 'pg';
import { to } from 'pg-copy-streams';

const columns = 'position, stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id, data'; // prettier-ignore

export const copyOut = async ({ url }) => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const began = performance.now();
  const stream = client.query(to(`copy (select ${columns} from event order by position) to stdout`));
  let bytes = 0;
  for await (const chunk of stream) bytes += chunk.length;
  const ms = performance.now() - began;
  const events = stream.rowCount;
  await client.end();
  return { ms, events, bytes };
};

// Appends of one event by what an engineer would otherwise pick.
import { randomUUID } from 'node:crypto';
import { dumbo } from '@event-driven-io/dumbo';
import { STREAM_DOES_NOT_EXIST } from '@event-driven-io/emmett';
import {
  getPostgreSQLEventStore,
  readLastMessageGlobalPosition,
  readMessagesBatch,
} from '@event-driven-io/emmett-postgresql';
import { DataSource } from 'typeorm';
import { closedLoop, sampleEvent } from '../support/closed-loop.mjs';
import { StoredEvent, storedEvents } from './entities.mjs';
import { boundedPool } from './pool.mjs';

const connections = 16;

const emmettOver = (url) => {
  const pool = boundedPool(url, connections);
  return { pool, store: getPostgreSQLEventStore(url, { connectionOptions: { pool } }) };
};

const typeormOver = (url, synchronize) =>
  new DataSource({ type: 'postgres', url, entities: [storedEvents], synchronize, poolSize: connections }).initialize();

export const prepareTypeorm = async ({ url }) => {
  const database = await typeormOver(url, true);
  await database.destroy();
};

export const prepareEmmett = async ({ url }) => {
  const { pool, store } = emmettOver(url);
  await store.schema.migrate();
  await store.close();
  await pool.end();
};

/** `kind`: save or insert of the repository. */
export const appendByTypeorm = async ({ url, kind, callers, ms }) => {
  const database = await typeormOver(url, false);
  const repository = database.getRepository(StoredEvent);
  let n = 0;
  const operation = () => {
    const cause = randomUUID();
    const row = { ...sampleEvent(n++), streamId: randomUUID(), version: 1, eventId: randomUUID(), metadata: { correlationId: cause, causationId: cause, actor: 'gateway' }, recordedAt: new Date() }; // prettier-ignore
    return repository[kind](row);
  };
  const result = await closedLoop({ callers, ms, operation });
  await database.destroy();
  return result;
};

export const appendByEmmett = async ({ url, callers, ms }) => {
  const { pool, store } = emmettOver(url);
  let n = 0;
  const operation = () =>
    store.appendToStream(`payment-${randomUUID()}`, [sampleEvent(n++)], { expectedStreamVersion: STREAM_DOES_NOT_EXIST }); // prettier-ignore
  const result = await closedLoop({ callers, ms, operation });
  await store.close();
  await pool.end();
  return result;
};

/** Looks, again and again for so long, as a consumer does that has read everything. */
export const lookByEmmett = async ({ url, ms }) => {
  const pool = boundedPool(url, 1);
  const { execute } = dumbo({ connectionString: url, pool });
  // emmett's last message is that of the newest transaction; one that began earlier may have written later ones.
  let { currentGlobalPosition: after } = await readLastMessageGlobalPosition(execute);
  for (;;) {
    const { messages } = await readMessagesBatch(execute, { after, batchSize: 100 });
    if (messages.length === 0) break;
    for (const { metadata } of messages) if (metadata.globalPosition > after) after = metadata.globalPosition;
  }
  const operation = async () => {
    const { messages } = await readMessagesBatch(execute, { after, batchSize: 100 });
    if (messages.length > 0) throw new Error('messages came while nobody was to write');
  };
  const result = await closedLoop({ callers: 1, ms, operation });
  await pool.end();
  return result;
};

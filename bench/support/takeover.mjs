// Followers of the order read model in processes of their own, one of which dies in the middle of its work.
import { createPool } from '../../dist/platform/database/database.pg.js';
import { LogReader } from '../../dist/platform/event-store/log-reader.pg.js';
import { Follower } from '../../dist/platform/subscriptions/follower.pg.js';
import { OrderProjection } from '../../dist/read-models/order-projection.pg.js';

const follow = (url, projection) => {
  const pool = createPool(url, { max: 2 });
  const follower = new Follower({ pool, log: new LogReader(pool) }, projection);
  follower.start();
  return { pool, follower };
};

/** This process ends in the first batch that begins after so long: rows written, nothing committed, the checkpoint held. */
class Mortal extends OrderProjection {
  constructor(diesAt) {
    super();
    this.diesAt = diesAt;
  }

  async apply(tx, events) {
    await super.apply(tx, events);
    if (performance.now() >= this.diesAt) process.kill(process.pid, 'SIGKILL');
  }
}

export const followAndDie = ({ url, afterMs }) => {
  follow(url, new Mortal(performance.now() + afterMs));
  return new Promise(() => undefined);
};

let alive = null;

export const followOrders = async ({ url }) => {
  alive = follow(url, new OrderProjection());
};

export const stopFollowing = async () => {
  await alive.follower.stop();
  await alive.pool.end();
};

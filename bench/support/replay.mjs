import { OrderProjection } from '../../dist/read-models/order-projection.pg.js';
import { rebuild } from '../../dist/platform/subscriptions/rebuild.pg.js';

/** Rebuilds the order read model from the whole log, as `replay --projection orders` does. */
export const rebuildOrders = async ({ url }) => {
  const began = performance.now();
  const { events } = await rebuild(url, new OrderProjection());
  return { ms: performance.now() - began, events };
};

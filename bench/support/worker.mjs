// Load comes from processes of its own, so that it never shares an event loop with what it measures.
import { sendAll, sendAtRate } from './http-load.mjs';
import { serve } from './jobs.mjs';
import { readPages, rebuildOrders, replayPayments, upsertEach } from './replay.mjs';
import { runJoined, runTasks, scan } from './sql-load.mjs';
import { appendFor, feedFor, lookFor } from './store-load.mjs';
import { followAndDie, followOrders, stopFollowing } from './takeover.mjs';
import { writeHistory } from './history.mjs';

serve({ sendAll, sendAtRate, runTasks, runJoined, scan, rebuildOrders, replayPayments, upsertEach, readPages, appendFor, feedFor, lookFor, writeHistory, followAndDie, followOrders, stopFollowing }); // prettier-ignore

// Load comes from processes of its own, so that it never shares an event loop with what it measures.
import { sendAll } from './http-load.mjs';
import { runTasks, scan } from './sql-load.mjs';
import { rebuildOrders } from './replay.mjs';
import { writeHistory } from './history.mjs';

const jobs = { sendAll, runTasks, scan, rebuildOrders, writeHistory };

process.on('message', ({ job, input }) => {
  jobs[job](input).then(
    (result) => process.send({ result }),
    (error) => process.send({ error: error.stack ?? String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));

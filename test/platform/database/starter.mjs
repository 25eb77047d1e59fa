// A process that starts the embedded server and then waits to be told what to do, so that tests can kill it.
// Arguments: the compiled launcher, the data directory. Prints one line of JSON; `stop` on stdin ends both.
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [launcher, dataDir] = process.argv.slice(2);
try {
  const { startEmbeddedPostgres } = await import(pathToFileURL(launcher).href);
  const server = await startEmbeddedPostgres({ dataDir, database: 'shop' });
  console.log(JSON.stringify({ url: server.url, adopted: server.adopted, directory: server.directory }));
  for await (const line of createInterface({ input: process.stdin })) {
    if (line !== 'stop') continue;
    await server.stop();
    break;
  }
} catch (error) {
  console.log(JSON.stringify({ error: error.message }));
}

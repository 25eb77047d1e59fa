// Runs Jest against a real PostgreSQL: the one in DATABASE_URL, else an embedded one of its own in a temporary directory.
// Prints one plain line at the end, `N passed, N failed`, counted from Jest's own record (test-results/jest.json).
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, chmod, copyFile, mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

// What tests lay down for others to read (the database server's account) must be readable, whoever runs them.
process.umask(0o022);

const root = fileURLToPath(new URL('..', import.meta.url));
const prefix = 'finality-test-';
const template = `finality_template_${process.pid}_${randomBytes(3).toString('hex')}`;
const cleanups = [];
let child;
let interrupted = 0;

/** Ctrl-C: Jest hears it too (same terminal); we wait for it to end, so that the clean-up below runs once, in order. */
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
]) {
  process.on(signal, () => {
    if (interrupted) child?.kill('SIGKILL');
    interrupted = code;
    child?.kill('SIGTERM');
    setTimeout(() => child?.kill('SIGKILL'), 5000).unref();
  });
}

const isAlive = (pid) => {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
};

/** Our own build, imported late so that a missing one gets a helpful sentence. */
const built = async (file) => {
  const path = join(root, 'dist/platform/database', file);
  await access(path).catch(() => {
    throw new Error('The service is not built: run `npm test`, or `npm run build` first.');
  });
  return await import(path);
};

const removeServer = async (server, directory) => {
  await server.stop();
  await rm(server.directory, { recursive: true, force: true });
  await rm(directory, { recursive: true, force: true });
};

/** What a killed run has left behind: its directory names its process. */
const removeLeftovers = async (startEmbeddedPostgres, findRunningEmbeddedPostgres) => {
  for (const name of await readdir(tmpdir())) {
    const pid = /^finality-test-(\d+)-/.exec(name)?.[1];
    const directory = join(tmpdir(), name);
    if (!pid || isAlive(Number(pid))) continue;
    const running = await findRunningEmbeddedPostgres(directory).catch(() => null);
    if (running)
      await removeServer(await startEmbeddedPostgres({ dataDir: directory, database: 'postgres' }), directory);
    else await rm(directory, { recursive: true, force: true });
  }
};

const embedded = async () => {
  const { startEmbeddedPostgres, findRunningEmbeddedPostgres } = await built('embedded-postgres.pg.js');
  await removeLeftovers(startEmbeddedPostgres, findRunningEmbeddedPostgres);
  const directory = await mkdtemp(join(tmpdir(), `${prefix}${process.pid}-`));
  await chmod(directory, 0o755);
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  const server = await startEmbeddedPostgres({ dataDir: directory, database: 'postgres' });
  cleanups.push(() => removeServer(server, directory));
  return server.url;
};

const query = async (url, sql) => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
};

/** On a server that is not ours, nothing of this run may stay. */
const dropDatabases = async (url) => {
  const mine = [template, template.replace('template', 'test')].map(
    (name) => `datname like '${name.replaceAll('_', '\\_')}%'`,
  );
  for (const { datname } of await query(url, `select datname from pg_database where ${mine.join(' or ')}`)) {
    await query(url, `drop database if exists "${datname}" with (force)`);
  }
};

const prepareDatabase = async () => {
  const { migrate } = await built('migrate.pg.js');
  const given = process.env.DATABASE_URL;
  const url = given || (await embedded());
  if (given) cleanups.push(() => dropDatabases(url));
  await query(url, `create database "${template}"`);
  const templateUrl = new URL(url);
  templateUrl.pathname = `/${template}`;
  await migrate(templateUrl.href);
  return url;
};

const runJest = (url, results) =>
  new Promise((resolve, reject) => {
    const jest = join(root, 'node_modules/jest/bin/jest.js');
    const args = [
      '--config',
      join(root, 'jest.config.mjs'),
      '--json',
      `--outputFile=${results}`,
      ...process.argv.slice(2),
    ];
    const options = [process.env.NODE_OPTIONS, '--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
    const env = {
      ...process.env,
      NODE_OPTIONS: options.filter(Boolean).join(' '),
      TEST_DATABASE_URL: url,
      TEST_TEMPLATE: template,
    };
    delete env.DATABASE_URL;
    // Jest writes its report to stderr; with --json, stdout would only repeat the record or name the file.
    child = spawn(process.execPath, [jest, ...args], { cwd: root, env, stdio: ['inherit', 'ignore', 'inherit'] });
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal ? 1 : code));
  });

/** A test file that could not be loaded counts as a failure, although Jest counts no test in it. */
const report = async (results) => {
  const record = JSON.parse(await readFile(results, 'utf8'));
  const failed = record.numFailedTests + record.numRuntimeErrorTestSuites;
  const skipped = record.numPendingTests + record.numTodoTests;
  await mkdir(join(root, 'test-results'), { recursive: true });
  await copyFile(results, join(root, 'test-results/jest.json'));
  console.log(`${record.numPassedTests} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`);
  return record.numPassedTests + failed > 0 && failed === 0;
};

const main = async () => {
  const scratch = await mkdtemp(join(tmpdir(), `${prefix}${process.pid}-results-`));
  cleanups.push(() => rm(scratch, { recursive: true, force: true }));
  const results = join(scratch, 'jest.json');
  const url = await prepareDatabase();
  if (interrupted) return interrupted;
  const code = await runJest(url, results);
  if (interrupted) return interrupted;
  const good = await report(results).catch((error) => {
    console.error(`No record of the test run: ${error.message}`);
    return false;
  });
  return code || (good ? 0 : 1);
};

let code = 1;
try {
  code = await main();
} catch (error) {
  console.error(error);
}
for (const cleanup of cleanups.reverse()) {
  await cleanup().catch((error) => {
    console.error('Cleaning up failed:', error);
    code ||= 1;
  });
}
process.exit(interrupted || code);

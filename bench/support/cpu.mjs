// CPU time from /proc: on machines whose cores are shared by load, service and database, it explains a rate better than
// the rate itself. Where there is no /proc, nothing is reported.
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ask } from './processes.mjs';

/** A tick of utime and stime in /proc, in ms (USER_HZ is 100 on every Linux that Node runs on). */
const tickMs = 10;

const statOf = async (pid) => {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return null;
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  return { parent: fields[1], own: (fields[11] + fields[12]) * tickMs, ended: (fields[13] + fields[14]) * tickMs };
};

/** CPU ms that a process has used so far; NaN where nobody tells. */
export const cpuMs = async (pid) => (await statOf(pid))?.own ?? NaN;

/** CPU ms of a PostgreSQL server so far: its processes, and those that have ended. */
const serverCpuMs = async (postmaster) => {
  for (let attempt = 1; ; attempt++) {
    const top = await statOf(postmaster);
    if (top === null) return NaN;
    let sum = top.own + top.ended;
    for (const name of await readdir('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      const stat = await statOf(name);
      if (stat?.parent === postmaster) sum += stat.own;
    }
    // A process that ended meanwhile is counted twice or not at all: once more.
    if ((await statOf(postmaster))?.ended === top.ended || attempt === 20) return sum;
  }
};

/** Connections that were just closed end soon. */
const settleMs = 50;

/** The first process of the server behind a URL; null where it is on another machine. */
const postmasterOf = async (url) => {
  const [{ data_directory: directory }] = await ask(url, 'show data_directory');
  const file = await readFile(join(directory, 'postmaster.pid'), 'utf8').catch(() => null);
  return file === null ? null : Number(file.split('\n')[0]);
};

/**
 * Tells what operations cost: `cost(pid, work)` does the work and answers its result with `cpu`, the CPU ms
 * per operation of that process and of PostgreSQL, for all that happened meanwhile.
 */
export const cpuMeter = async (url) => {
  const postmaster = await postmasterOf(url);
  const reading = async (pid) => [
    pid === null ? NaN : await cpuMs(pid),
    postmaster === null ? NaN : await serverCpuMs(postmaster),
  ];
  return async (pid, work) => {
    const before = await reading(pid);
    const { operations, ...result } = await work();
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    const after = await reading(pid);
    const [process, postgres] = after.map((ms, at) => (ms - before[at]) / operations);
    return { ...result, cpu: { process, postgres } };
  };
};

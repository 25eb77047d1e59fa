import { startProcess } from './process.module.js';

await startProcess('worker');

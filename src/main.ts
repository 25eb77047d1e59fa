import { startProcess } from './process.module.js';

await startProcess('service');

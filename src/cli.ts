import { openClock, openCommands } from './commands.module.js';
import { runCli } from './ops/cli.module.js';

process.exitCode = await runCli(process.argv, process.env, { openCommands, openClock });

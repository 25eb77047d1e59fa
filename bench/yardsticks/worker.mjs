// A process that runs the yardsticks that are no servers.
import { serve } from '../support/jobs.mjs';
import { appendByEmmett, appendByTypeorm, lookByEmmett, prepareEmmett, prepareTypeorm } from './append.mjs';
import { copyOut } from './copy-out.mjs';
import { fillEmmett, rebuildByEmmett } from './emmett-rebuild.mjs';

serve({
  appendByEmmett,
  appendByTypeorm,
  lookByEmmett,
  prepareEmmett,
  prepareTypeorm,
  copyOut,
  fillEmmett,
  rebuildByEmmett,
});

import { v7 } from 'uuid';
import { Ids } from '../kernel/ids.js';

/** UUIDv7 from the machine's clock and its random source. */
export class RandomIds extends Ids {
  next(): string {
    return v7();
  }
}

/*
 * What can be found wrong with a store, each with a sentence that says so and with what to do.
 */

const restore =
  'Keep the database as it is, find out who could write to it, and compare the stream with a backup from before.';
const compare = 'Compare the checkpoints with another copy of them, and find out who could write there.';

export const breakReasons = {
  missing_version: ['an event is missing', restore],
  hash_mismatch: ['the row is not what was recorded: its content or its hash was changed', restore],
  stored_hash_changed: ['the hash beside the event was changed; its content is as recorded', restore],
  out_of_order: ['it stands in the log before the event that precedes it: a position was changed', restore],
  second_of_version: ['there is another event of this version', restore],
  sealed_event_missing: ['the event was there when this span of the log was sealed, and is gone', restore],
  sealed_hash_differs: [
    'the stream was written anew: the event had another hash when it was sealed, whatever its chain says now',
    restore,
  ],
  position_differs: ['the event stood at another position of the log when it was sealed', restore],
  event_added: ['the event was not at this place of the log when that was sealed', restore],
  span_differs: [
    'something in this span of the log or the inbox is not what was sealed',
    'The file of this checkpoint tells what: give the directory of the exported files with --checkpoint.',
  ],
  message_changed: ['the evidence is not what was received: the row or its hash was changed', restore],
  message_unhashed: ['the hash of the evidence was taken away', restore],
  sealed_message_missing: ['the evidence was there when it was sealed, and is gone', restore],
  sealed_message_differs: ['the evidence was another when it was sealed, whatever its hash says now', restore],
  message_added: ['the evidence was added after its span was sealed', restore],
  checkpoint_unreadable: ['the checkpoint in the database is none that we write', compare],
  checkpoint_row_changed: ['the row of the checkpoint does not say what its statement says', compare],
  checkpoint_forged: ['the signature of the checkpoint is not that of its statement', compare],
  checkpoint_of_other_key: [
    'the checkpoint is signed with a key that is not trusted here',
    'Where the key was changed, keep the former one behind the new one in CHECKPOINT_KEY, or give each by --public-key.',
  ],
  checkpoint_unchained: ['the checkpoint does not follow the one before it', compare],
  checkpoint_missing: ['the checkpoint is gone from the database', compare],
  store_is_older: [
    'the database does not know this checkpoint: it was restored from an older backup, or its newest rows were cut off',
    'Do not take payments on it before what is missing is found: see the backup, and finality reconcile.',
  ],
  file_missing: ['the file of the checkpoint is gone, although later ones are there', compare],
  file_unreadable: ['the file is not one that we have written: a byte of it was changed', compare],
  file_forged: ['the signature in the file is not that of its statement', compare],
  file_of_other_key: [
    'the file is signed with a key that is not trusted here',
    'Where the key was changed, keep the former one behind the new one in CHECKPOINT_KEY, or give each by --public-key.',
  ],
  file_lists_changed: ['the lists in the file are not what its statement was made over', compare],
  file_differs: ['the file and the database hold two different checkpoints of the same number', compare],
  projection_differs: [
    'the read model is not what the events say',
    'See the differences, then rebuild it: finality replay --projection',
  ],
} as const;

export type BreakReason = keyof typeof breakReasons;

/** One thing that is wrong, with every name of it that is known. */
export interface Break {
  reason: BreakReason;
  streamId?: string;
  version?: number;
  /** The last version, or the last checkpoint, where it is a row of them. */
  until?: number;
  position?: number | null;
  messageId?: string;
  checkpoint?: number;
  file?: string;
  projection?: string;
}

const mostTold = 100_000;
const longestRow = 1000;

/** Collects what is found: all of it counted, each thing once, and the first hundred (unless told otherwise) kept. */
export class Breaks {
  count = 0;
  readonly kept: Break[] = [];
  private readonly told = new Set<string>();

  constructor(private readonly mostKept = 100) {}

  add(found: Break): void {
    const names = namesOf(found);
    if (names.every((name) => this.told.has(name))) return;
    if (this.told.size < mostTold) for (const name of names) this.told.add(name);
    this.count++;
    if (this.kept.length < this.mostKept) this.kept.push(found);
  }
}

/** By what a thing is told apart from others: two reasons against one event are one break. */
function namesOf({ reason, streamId, version, until, messageId, checkpoint, file, projection }: Break): string[] {
  if (messageId !== undefined) return [`message ${messageId}`];
  if (streamId === undefined || version === undefined) return [[reason, checkpoint, file, projection].join(' ')];
  const versions = Math.min((until ?? version) - version + 1, longestRow);
  return Array.from({ length: versions }, (_, each) => `event ${streamId} ${String(version + each)}`);
}

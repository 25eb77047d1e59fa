/** Where identifiers come from. Ids are UUIDv7: they sort by time, which keeps the event table's index small. */
export abstract class Ids {
  abstract next(): string;
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether `text` is a UUID in the one spelling that we issue (lower case, with hyphens). */
export const isUuid = (text: string): boolean => uuid.test(text);

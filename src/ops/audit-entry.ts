import type { Instant } from '../kernel/clock.js';
import type { NewEvent, RecordedEvent } from '../kernel/event.js';
import type { JsonObject, JsonValue } from '../kernel/json.js';

const targetKinds = ['payment', 'policy', 'delivery', 'callback', 'session', 'application'] as const;
const outcomes = ['done', 'refused', 'failed'] as const;

/** What an action was about. */
export interface AuditTarget {
  kind: (typeof targetKinds)[number];
  id: string;
}

/** Something that an operator did, or was refused. Never a password, a cookie or the id of a session in any member. */
export interface AuditEntry {
  /** `what.done`: `payment.refund`, `session.login`. */
  action: string;
  /** Who, as that person said: a name, with or without `operator:` before it; empty where nobody said one. */
  actor: string;
  /** Null where nobody was logged in. */
  role: 'act' | 'view' | null;
  target: AuditTarget | null;
  /** Why, in that person's words. */
  reason: string | null;
  outcome: (typeof outcomes)[number];
  detail: JsonObject | null;
}

/** An entry as the log holds it. */
export interface RecordedEntry extends AuditEntry {
  position: number;
  at: Instant;
  correlationId: string;
}

const operatorActed = 'OperatorActed';

/** What commands wrote about applications, in a stream of each. */
const actionOfType: Readonly<Record<string, string>> = {
  ApplicationCreated: 'application.create',
  ApplicationKeyRotated: 'application.rotate_key',
};

/** On one line or several, without what no one can see. */
const cleaned = (text: string, most: number): string => text.replace(/[^\P{C}\n]/gu, ' ').slice(0, most);

/** Who acted, in the form that events have. */
export const actorOf = (name: string): string => {
  const said = cleaned(name.startsWith('operator:') ? name.slice('operator:'.length) : name, 128);
  return `operator:${said === '' ? 'unnamed' : said}`;
};

/** Longer reasons are cut, and details that are larger than this are left out: the log keeps them for ever. */
const reasonAtMost = 1000;
const detailAtMost = 4096;

/** The event that keeps an entry. */
export function eventOfEntry(id: string, entry: AuditEntry, at: Instant): NewEvent {
  const { action, role, target, reason, outcome, detail } = entry;
  const text = JSON.stringify(detail);
  // The database can store U+0000 in JSON, and not read it.
  const isFit = text.length <= detailAtMost && !text.includes('\\u0000');
  const data = {
    ...{ action: action.slice(0, 64), role, outcome, at },
    target: target === null ? null : { kind: target.kind, id: cleaned(target.id, 256) },
    reason: reason === null ? null : cleaned(reason, reasonAtMost),
    detail: isFit ? detail : { leftOut: 'too large, or unreadable' },
  };
  return { id, type: operatorActed, schemaVersion: 1, data };
}

/** Reads an event of the operators' own record; whatever is not as it should be is left out, so that all else is shown. */
export function readEntry({ type, data, actor, position, recordedAt, correlationId }: RecordedEvent): RecordedEntry {
  const found = { actor, position, at: recordedAt, correlationId };
  if (type !== operatorActed) {
    const name = actionOfType[type] ?? type;
    return { ...found, action: name, role: 'act', target: null, reason: null, outcome: 'done', detail: data };
  }
  return {
    ...found,
    action: textOf(data['action']) ?? type,
    role: oneOf(['act', 'view'] as const, data['role']),
    target: targetOf(data['target']),
    reason: textOf(data['reason']),
    outcome: oneOf(outcomes, data['outcome']) ?? 'failed',
    detail: objectOf(data['detail']),
  };
}

const textOf = (value: JsonValue | undefined): string | null => (typeof value === 'string' ? value : null);

const objectOf = (value: JsonValue | undefined): JsonObject | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;

const oneOf = <T extends string>(allowed: readonly T[], value: JsonValue | undefined): T | null =>
  allowed.find((each) => each === value) ?? null;

function targetOf(value: JsonValue | undefined): AuditTarget | null {
  const target = objectOf(value);
  const kind = oneOf(targetKinds, target?.['kind']);
  const id = textOf(target?.['id']);
  return kind === null || id === null ? null : { kind, id };
}

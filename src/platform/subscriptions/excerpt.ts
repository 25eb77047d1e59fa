const most = 200;
const before = 40;

/** Cuts two values that are long to 200 characters each, around the first place where they part. */
export function excerpts<T extends { live: string | null; rebuilt: string | null }>(values: T): T {
  const { live, rebuilt } = values;
  if ((live?.length ?? 0) <= most && (rebuilt?.length ?? 0) <= most) return values;
  const start = live === null || rebuilt === null ? 0 : Math.max(commonPrefix(live, rebuilt) - before, 0);
  return { ...values, live: live && excerpt(live, start), rebuilt: rebuilt && excerpt(rebuilt, start) };
}

function commonPrefix(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

function excerpt(value: string, start: number): string {
  const end = start + most - 2;
  return `${start > 0 ? '…' : ''}${value.slice(start, end)}${value.length > end ? '…' : ''}`;
}

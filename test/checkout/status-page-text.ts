/** What a reader of a page gets: its text without markup, with single spaces. */
export const textOf = (page: string): string =>
  page
    .replace(/<(script|style|svg)[\s>][^]*?<\/\1>/g, ' ')
    .replace(/<\/?(?:bdi|time|span)\b[^>]*>/g, '')
    .replace(/<[^>]+>/g, ' ')
    .replace(/&amp;/g, '&')
    .replace(/&#39;/g, "'")
    .replace(/&quot;/g, '"')
    .replace(/\s+/g, ' ');

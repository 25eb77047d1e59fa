/** Markup that is safe to print. `html` alone makes it. */
class Markup {
  constructor(readonly text: string) {}
}
export type Html = Markup;
type Piece = string | number | Markup | readonly Markup[];

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (text: string): string => text.replace(/[&<>"']/g, (char) => entities[char] ?? '');

function print(piece: Piece): string {
  if (piece instanceof Markup) return piece.text;
  if (typeof piece === 'string' || typeof piece === 'number') return escaped(String(piece));
  return piece.map((part) => part.text).join('');
}

/** A template whose every value is escaped for text and quoted attributes, unless it is markup itself. */
export function html(parts: TemplateStringsArray, ...pieces: Piece[]): Html {
  return new Markup(parts.reduce((text, part, at) => text + print(pieces[at - 1] ?? '') + part));
}

export const nothing = html``;

import { create } from 'qrcode';
import { html, type Html } from '../platform/http/html.js';

/** Modules of white around a code, without which scanners do not find it (ISO/IEC 18004). */
const quietZone = 4;

/** A text as a QR code: dark on white in every theme, because many scanners read no other. `label` says what it is. */
export function qrCode(text: string, label: string): Html {
  const { modules } = create(text, { errorCorrectionLevel: 'M' });
  const size = modules.size + 2 * quietZone;
  return html`<svg
    class="qr"
    viewBox="0 0 ${size} ${size}"
    role="img"
    aria-label="${label}"
    shape-rendering="crispEdges"
  >
    <path fill="#fff" d="M0 0h${size}v${size}H0z" />
    <path fill="#000" d="${darkPath(modules.data, modules.size)}" />
  </svg>`;
}

/** One stroke for each run of dark modules of a row. */
function darkPath(data: Uint8Array, size: number): string {
  let path = '';
  for (let row = 0; row < size; row++) {
    const bits = Array.from(data.subarray(row * size, (row + 1) * size), (module) => (module ? '1' : '0')).join('');
    for (const run of bits.matchAll(/1+/g)) {
      const width = run[0].length;
      path += `M${String(run.index + quietZone)} ${String(row + quietZone)}h${String(width)}v1h-${String(width)}z`;
    }
  }
  return path;
}

// Line plots as SVG files, with nothing but text: a background of their own, so that they can be read on light and dark
// pages, and names beside the lines instead of a legend.
import { shares } from './numbers.mjs';

const colours = ['#0b57d0', '#c5400a', '#7a3e9d', '#167a3e', '#8a6a00', '#5b6470', '#b3126b'];
const [width, height] = [860, 420];
const frame = { left: 66, right: 250, top: 52, bottom: 56 };
const ink = { paper: '#ffffff', text: '#1c2430', faint: '#e3e7ed', soft: '#5b6470' };

const escaped = (text) =>
  String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);

const text = (x, y, words, { anchor = 'start', size = 12, fill = ink.text, weight = 400, turn = null } = {}) =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" font-size="${size}" font-weight="${weight}" fill="${fill}"${turn === null ? '' : ` transform="rotate(${turn} ${x.toFixed(1)} ${y.toFixed(1)})"`}>${escaped(words)}</text>`;

const line = (x1, y1, x2, y2, stroke) =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="${stroke}"/>`;

const short = (value) => {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(2))} M`;
  if (value >= 1000) return `${Number((value / 1000).toPrecision(2))} k`;
  return String(Number(value.toPrecision(3)));
};

/** 1, 2, 5, 10 … between two values; only the tens where there would be too many. */
const logTicks = (least, most) => {
  const ticks = [];
  const wide = Math.log10(most / least) > 3;
  for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(most)); power++)
    for (const factor of wide ? [1] : [1, 2, 5]) ticks.push(factor * 10 ** power);
  return ticks.filter((tick) => tick >= least * 0.999 && tick <= most * 1.001);
};

const rowHeight = 14;

/** Moves labels apart that would lie on each other. */
const apart = (labels) => {
  const ordered = labels.toSorted((a, b) => a.y - b.y);
  const gap = (upper, lower) => ((upper.rows.length + lower.rows.length) * rowHeight) / 2 + 4;
  for (let at = 1; at < ordered.length; at++) {
    const [upper, lower] = [ordered[at - 1], ordered[at]];
    lower.y = Math.max(lower.y, upper.y + gap(upper, lower));
  }
  const last = ordered.at(-1);
  last.y = Math.min(last.y, height - frame.bottom);
  for (let at = ordered.length - 2; at >= 0; at--) {
    const [upper, lower] = [ordered[at], ordered[at + 1]];
    upper.y = Math.min(upper.y, lower.y - gap(upper, lower));
  }
  return labels;
};

/** Words in lines of at most so many characters. */
const wrapped = (words, most) => {
  const lines = [''];
  for (const word of words.split(' ')) {
    if (lines.at(-1) !== '' && lines.at(-1).length + word.length + 1 > most) lines.push('');
    lines[lines.length - 1] += (lines.at(-1) === '' ? '' : ' ') + word;
  }
  return lines;
};

/** A plot of lines `{ label, points: [[x, y], ...] }`; `x` and `y` are axes: `{ label, at(value) in 0..1, ticks: [[value, words]] }`. */
const plot = (title, lines, x, y) => {
  const [inner, tall] = [width - frame.left - frame.right, height - frame.top - frame.bottom];
  const px = (value) => frame.left + x.at(value) * inner;
  const py = (value) => height - frame.bottom - y.at(value) * tall;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif" role="img" aria-label="${escaped(title)}">`,
    `<rect width="${width}" height="${height}" rx="8" fill="${ink.paper}"/>`,
    text(20, 28, title, { size: 15, weight: 600 }),
  ];
  for (const [value, words] of y.ticks) {
    parts.push(line(frame.left, py(value), width - frame.right, py(value), ink.faint));
    parts.push(text(frame.left - 8, py(value) + 4, words, { anchor: 'end', fill: ink.soft }));
  }
  for (const [value, words] of x.ticks) {
    parts.push(line(px(value), frame.top, px(value), height - frame.bottom, ink.faint));
    parts.push(text(px(value), height - frame.bottom + 18, words, { anchor: 'middle', fill: ink.soft }));
  }
  parts.push(text(frame.left + inner / 2, height - 14, x.label, { anchor: 'middle', fill: ink.soft }));
  parts.push(text(18, frame.top + tall / 2, y.label, { anchor: 'middle', fill: ink.soft, turn: -90 }));
  const labels = lines.map(({ label, points }, at) => ({ at, y: py(points.at(-1)[1]), rows: wrapped(label, 34) }));
  lines.forEach(({ points }, at) => {
    const path = points.map(([vx, vy], n) => `${n === 0 ? 'M' : 'L'}${px(vx).toFixed(1)} ${py(vy).toFixed(1)}`);
    const colour = colours[at % colours.length];
    parts.push(`<path d="${path.join('')}" fill="none" stroke="${colour}" stroke-width="${at === 0 ? 3 : 1.8}" stroke-linejoin="round"/>`); // prettier-ignore
    for (const [vx, vy] of points) parts.push(`<circle cx="${px(vx).toFixed(1)}" cy="${py(vy).toFixed(1)}" r="2.6" fill="${colour}"/>`); // prettier-ignore
  });
  for (const { at, y: labelY, rows } of apart(labels))
    rows.forEach((row, n) => {
      const style = { fill: colours[at % colours.length], weight: at === 0 ? 700 : 500 };
      parts.push(
        text(width - frame.right + 12, labelY + 4 + n * rowHeight - ((rows.length - 1) * rowHeight) / 2, row, style),
      );
    });
  return `${[...parts, '</svg>'].join('\n')}\n`;
};

const logAxis = (label, values, words = short) => {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [least, most] = [low / 1.15, high * 1.15];
  const at = (value) => Math.log(value / least) / Math.log(most / least);
  return { label, at, ticks: logTicks(least, most).map((tick) => [tick, words(tick)]) };
};

/** Times by percentile, both axes logarithmic, so that the slowest one in a thousand can be seen. */
export const latencyPlot = (title, sides) => {
  const drawn = sides.filter((side) => side?.quantiles);
  const last = shares.indexOf(0.999);
  const points = ({ quantiles }) => shares.slice(0, last + 1).map((share, at) => [1 - share, Math.max(0.01, quantiles[at])]); // prettier-ignore
  const lines = drawn.map((side) => ({ label: side.label, points: points(side) }));
  const at = (rest) => Math.log10(1 / rest) / 3;
  const ticks = [[1, '0'], [0.5, '50'], [0.25, '75'], [0.1, '90'], [0.05, '95'], [0.01, '99'], [0.001, '99.9']]; // prettier-ignore
  const x = { label: 'percent of callbacks answered within', at, ticks };
  const y = logAxis('ms', lines.flatMap((each) => each.points.map(([, value]) => value))); // prettier-ignore
  return plot(title, lines, x, y);
};

/** Costs by the size of the store, as shares of the cost in the smallest one, both axes logarithmic. */
export const growthPlot = (title, lines) => {
  const sizes = lines[0].points.map(([size]) => size);
  const x = { ...logAxis('events in the store', sizes), ticks: sizes.map((size) => [size, short(size)]) };
  const y = logAxis('cost, smallest store = 1', [0.5, 2, ...lines.flatMap(({ points }) => points.map(([, value]) => value))]); // prettier-ignore
  return plot(title, lines, x, y);
};

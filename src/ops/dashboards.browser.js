/*
 * Draws each plot from the table beside it: what is drawn, what a screen reader tells and what is left without script are
 * the same numbers. Series differ by pattern or dash and not by colour alone.
 */

/** @typedef {{ label: string, time: boolean, values: (number | null)[] }} Row */
/** @typedef {{ names: string[], series: number[], rows: Row[] }} Numbers */

/** @type {typeof import('uplot')} */
const Plot = Reflect.get(window, 'uPlot');

const patterns = ['solid', 'rising', 'dots', 'level', 'falling', 'cross', 'upright'];
const dashes = [[], [2, 3], [10, 3, 2, 3], [7, 4]];

/** @param {HTMLElement} figure @returns {Numbers} */
function read(figure) {
  const heads = [...figure.querySelectorAll('thead th')].slice(1);
  const names = heads.map((cell) => cell.textContent?.trim() ?? '');
  const series = heads.map((cell) => (cell instanceof HTMLElement ? Number(cell.dataset['series']) : 0));
  const rows = [...figure.querySelectorAll('tbody tr')].map((row) => ({
    label: row.querySelector('th')?.textContent?.trim() ?? '',
    time: row.querySelector('time') !== null,
    values: [...row.querySelectorAll('td')].map(({ dataset }) =>
      dataset['value'] === undefined ? null : Number(dataset['value']),
    ),
  }));
  return { names, series, rows };
}

/** @param {string} name */
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** @param {number} at */
const colorOf = (at) => color(`--series-${String((at % patterns.length) + 1)}`);

/** The fill of a series: its colour, with lines or dots of the page's ground. @param {CanvasRenderingContext2D} context @param {number} at */
function fillOf(context, at) {
  const kind = patterns[at % patterns.length];
  const tile = document.createElement('canvas');
  const size = Math.round(6 * devicePixelRatio);
  tile.width = tile.height = size;
  const pen = tile.getContext('2d');
  if (kind === 'solid' || pen === null) return colorOf(at);
  pen.fillStyle = colorOf(at);
  pen.fillRect(0, 0, size, size);
  pen.strokeStyle = pen.fillStyle = color('--card');
  pen.lineWidth = Math.max(1, size / 5);
  pen.beginPath();
  /** @param {number[]} from @param {number[]} to */
  const line = ([x = 0, y = 0], [u = 0, v = 0]) => {
    pen.moveTo(x * size, y * size);
    pen.lineTo(u * size, v * size);
  };
  if (kind === 'dots') pen.arc(size / 2, size / 2, size / 5, 0, 2 * Math.PI);
  if (kind === 'rising' || kind === 'cross') for (const by of [-1, 0, 1]) line([by, 1], [by + 1, 0]);
  if (kind === 'falling' || kind === 'cross') for (const by of [-1, 0, 1]) line([by, 0], [by + 1, 1]);
  if (kind === 'level') line([0, 0.5], [1, 0.5]);
  if (kind === 'upright') line([0.5, 0], [0.5, 1]);
  if (kind === 'dots') pen.fill();
  else pen.stroke();
  return context.createPattern(tile, 'repeat') ?? colorOf(at);
}

/** The same in the legend, where a canvas cannot be. @param {number} at */
function swatchOf(at) {
  const [own, ground] = [colorOf(at), color('--card')];
  /** @param {string} angle */
  const lines = (angle) => `repeating-linear-gradient(${angle}, ${own} 0 3px, ${ground} 3px 4px)`;
  switch (patterns[at % patterns.length]) {
    case 'rising':
      return lines('135deg');
    case 'falling':
      return lines('45deg');
    case 'level':
      return lines('0deg');
    case 'upright':
      return lines('90deg');
    case 'dots':
      return `radial-gradient(${ground} 25%, ${own} 30%) 0 0 / 5px 5px`;
    case 'cross':
      return `${lines('45deg')}, ${own}`;
    default:
      return own;
  }
}

/** A line in the legend: whole, or broken. @param {number} at */
const strokeOf = (at) =>
  dashes[at % dashes.length]?.length === 0
    ? colorOf(at)
    : `repeating-linear-gradient(90deg, ${colorOf(at)} 0 4px, ${color('--card')} 4px 6px)`;

/** @param {number} seconds */
function duration(seconds) {
  for (const [size, unit] of /** @type {[number, string][]} */ ([
    [86400, 'd'],
    [3600, 'h'],
    [60, 'min'],
  ]))
    if (seconds >= size) return `${String(Math.round((seconds / size) * 10) / 10)} ${unit}`;
  return `${String(Math.round(seconds * 100) / 100)} s`;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `2026-01-31 12:00` as an axis has room for it: the day, or the hour within one. @param {Row | undefined} row @param {boolean} long */
function tick(row, long) {
  if (row === undefined) return '';
  const [, month, day, time] = /^\d{4}-(\d\d)-(\d\d)(?: (\d\d:\d\d))?$/.exec(row.label) ?? [];
  if (month === undefined || day === undefined) return row.label;
  const date = `${String(Number(day))} ${months[Number(month) - 1] ?? ''}`;
  return long || time === undefined || time === '00:00' ? date : time;
}

/** @param {string} unit @param {number | null} value */
const worded = (unit, value) =>
  value === null ? '–' : unit === 'seconds' ? duration(value) : value.toLocaleString('en-US');

/** What lies on top of what: each series with all below it. @param {Numbers} numbers */
const heights = ({ names, rows }) =>
  names.map((_, at) =>
    rows.map(({ values }) => values.slice(0, at + 1).reduce((all, value) => (all ?? 0) + (value ?? 0), 0)),
  );

/** @param {HTMLElement} figure @param {Numbers} numbers @param {number} width @returns {import('uplot').Options} */
function options(figure, numbers, width) {
  const { names, series, rows } = numbers;
  const look = (/** @type {number} */ at) => series[at] ?? at;
  const unit = figure.dataset['unit'] ?? '';
  const kind = figure.dataset['plot'];
  const bars = Plot.paths.bars?.({ size: [0.8, 48], radius: kind === 'bars' ? 0.08 : 0 });
  const lines = Plot.paths.linear?.();
  // Over days, the same hour of each: then its date says it all.
  const long = rows.length > 24 && (rows[0]?.label.length ?? 0) > 10;
  const axis = { stroke: color('--soft'), font: '12px system-ui, sans-serif', labelFont: '12px system-ui, sans-serif' };
  const grid = { stroke: color('--line'), width: 1 };
  // The highest of a stack is drawn first, and the lower ones over it.
  const order = names.map((_, at) => at).reverse();
  return {
    width,
    height: 240,
    padding: [12, 12, 0, 0],
    cursor: { points: { show: kind === 'lines' }, drag: { x: false, y: false }, y: false },
    legend: {
      markers: { width: 0, fill: (_, at) => (kind === 'lines' ? strokeOf : swatchOf)(look(order[at - 1] ?? 0)) },
    },
    scales: {
      x: { time: false, range: () => [-0.6, rows.length - 0.4] },
      y: { range: (_, low, high) => [0, Math.max(kind === 'lines' ? 0.01 : 1, high * 1.08) + Math.min(0, low)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        ticks: { ...grid, size: 4 },
        incrs: long ? [4, 8, 12, 16] : [1, 2, 3, 4, 6, 7, 8, 12, 14, 24, 28, 30],
        space: 58,
        values: (_, splits) => splits.map((at) => (Number.isInteger(at) ? tick(rows[at], long) : '')),
        label: rows[0]?.time ? 'UTC' : 'within',
        size: 28,
        labelSize: 18,
        labelGap: 0,
      },
      {
        ...axis,
        grid,
        ticks: { show: false },
        size: 62,
        space: 36,
        ...(unit === 'seconds'
          ? {}
          : { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6, 1e7] }),
        values: (_, splits) => splits.map((value) => worded(unit, value)),
        label: unit === 'seconds' ? 'time' : unit,
        labelSize: 20,
        labelGap: 0,
      },
    ],
    series: [
      {
        label: rows[0]?.time ? 'Time (UTC)' : 'Within',
        value: (_, at) => (at === null ? '–' : (rows[at]?.label ?? '–')),
      },
      ...order.map((at) => ({
        label: names[at] ?? '',
        value: (
          /** @type {unknown} */ _,
          /** @type {unknown} */ __,
          /** @type {number} */ ___,
          /** @type {number | null} */ row,
        ) => (row === null ? '–' : worded(unit, rows[row]?.values[at] ?? null)),
        stroke: colorOf(look(at)),
        ...(kind === 'lines'
          ? {
              width: 2,
              dash: dashes[look(at) % dashes.length] ?? [],
              points: { show: rows.length < 40, size: 5 },
              ...(lines && { paths: lines }),
            }
          : {
              width: 0,
              fill: (/** @type {import('uplot')} */ plot) => fillOf(plot.ctx, look(at)),
              points: { show: false },
              ...(bars && { paths: bars }),
            }),
      })),
    ],
  };
}

/** @param {HTMLElement} figure */
function draw(figure) {
  const place = /** @type {HTMLElement | null} */ (figure.querySelector('.drawing'));
  if (place === null) return;
  const numbers = read(figure);
  const { names, rows } = numbers;
  const isStack = figure.dataset['plot'] === 'stack';
  const columns = isStack ? heights(numbers) : names.map((_, at) => rows.map(({ values }) => values[at] ?? null));
  /** @type {import('uplot').AlignedData} */
  const data = [rows.map((_, at) => at), ...columns.reverse()];
  place.hidden = false;
  figure.querySelector('details')?.removeAttribute('open');
  let plot = new Plot(options(figure, numbers, place.clientWidth), data, place);
  const anew = () => {
    plot.destroy();
    plot = new Plot(options(figure, numbers, place.clientWidth), data, place);
  };
  new ResizeObserver(() => {
    if (place.clientWidth !== plot.width) plot.setSize({ width: place.clientWidth, height: plot.height });
  }).observe(place);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', anew);
}

for (const figure of document.querySelectorAll('[data-plot]')) if (figure instanceof HTMLElement) draw(figure);

import { html, nothing, type Html } from '../platform/http/html.js';
import { counted, type KeyFigure, type Plotted, type Share } from './dashboard.js';
import { durationOf } from './dashboard-bins.js';

export const keyFigures = (figures: readonly KeyFigure[]): Html =>
  html`<dl class="keys">
    ${figures.map(
      ({ name, value, change }) =>
        html`<div>
          <dt>${name}</dt>
          <dd class="value">${value}</dd>
          <dd class="change">${change}</dd>
        </div>`,
    )}
  </dl>`;

export interface Plot {
  id: string;
  title: string;
  about: string;
  /** `stack`: bars on top of each other; `bars`: one step beside the other; `lines`: one for each column. */
  kind: 'stack' | 'bars' | 'lines';
  /** What the values are; `seconds` are shown as times. */
  unit: string;
  /** What the rows are. */
  rowsAre: string;
  data: Plotted;
  empty: string;
  /** As wide as the page. */
  wide?: true;
}

/** A plot and the table of its numbers, which is what the script draws from and what remains without it. */
export function plot({ id, title, about, kind, unit, rowsAre, data, empty, wide }: Plot): Html {
  const isEmpty = data.rows.every(({ values }) => values.every((value) => value === null || value === 0));
  const head = html`<figcaption>
    <strong>${title}</strong>
    <span class="soft">${about}</span>
  </figcaption>`;
  if (isEmpty)
    return html`<figure class="card empty">
      ${head}
      <p class="soft">${empty}</p>
    </figure>`;
  return html`<figure class="card${wide ? ' wide' : ''}" id="${id}" data-plot="${kind}" data-unit="${unit}">
    ${head}
    <div class="drawing" role="img" aria-label="${title}: the numbers stand in the table below" hidden></div>
    <details open>
      <summary>The numbers<span class="hidden">: ${title}</span></summary>
      <div class="scroll" role="region" tabindex="0" aria-label="${title}, numbers">
        ${tableOf(data, unit, rowsAre)}
      </div>
    </details>
  </figure>`;
}

function tableOf({ columns, rows }: Plotted, unit: string, rowsAre: string): Html {
  const shown = (value: number): string => (unit === 'seconds' ? durationOf(value) : counted(value));
  return html`<table class="numbers">
    <thead>
      <tr>
        <th scope="col">${rowsAre}</th>
        ${columns.map(({ name, series }) => html`<th scope="col" data-series="${series}">${name}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        ({ label, at, values }) =>
          html`<tr>
            <th scope="row">${at === null ? label : html`<time datetime="${at}">${label}</time>`}</th>
            ${values.map((value) =>
              value === null ? html`<td>–</td>` : html`<td data-value="${value}">${shown(value)}</td>`,
            )}
          </tr>`,
      )}
    </tbody>
  </table>`;
}

export interface Shares {
  title: string;
  about: string;
  /** What is counted by name. */
  nameIs: string;
  countIs: string;
  shares: readonly Share[];
  empty: string;
}

const listedAtMost = 12;

/** How many of each name, with a bar for each. */
export function sharesTable({ title, about, nameIs, countIs, shares, empty }: Shares): Html {
  const head = html`<figcaption>
    <strong>${title}</strong>
    <span class="soft">${about}</span>
  </figcaption>`;
  const shown = shares.filter(({ now }) => now > 0).slice(0, listedAtMost);
  if (shown.length === 0)
    return html`<figure class="card empty">
      ${head}
      <p class="soft">${empty}</p>
    </figure>`;
  const most = Math.max(...shown.map(({ now }) => now));
  const rest = shares.filter(({ now }) => now > 0).length - shown.length;
  return html`<figure class="card">
    ${head}
    <table class="numbers shares">
      <thead>
        <tr>
          <th scope="col">${nameIs}</th>
          <th scope="col">${countIs}</th>
          <th scope="col">Before</th>
        </tr>
      </thead>
      <tbody>
        ${shown.map(
          ({ name, now, before }) =>
            html`<tr>
              <th scope="row">${name}${bar(now / most)}</th>
              <td>${counted(now)}</td>
              <td class="soft">${counted(before)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
    ${rest > 0 ? html`<p class="soft">And ${rest} more with fewer.</p>` : nothing}
  </figure>`;
}

const bar = (share: number): Html =>
  html`<svg class="bar" width="100%" height="4" aria-hidden="true" focusable="false">
    <rect width="${(share * 100).toFixed(1)}%" height="4" rx="2" fill="currentColor" />
  </svg>`;

import { asset, packageFile } from '../platform/http/assets.controller.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import { consoleLayout, type Viewer } from './console.page.js';
import { deliveryPart, failurePart, paymentPart, timePart } from './dashboard-parts.page.js';
import { ranges, type Range } from './dashboard-window.js';
import type { Dashboard } from './dashboards.pg.js';
import { momentOf } from './policies.page.js';

const style = asset(
  'dashboards.css',
  packageFile('uplot/dist/uPlot.min.css'),
  new URL('./dashboards.css', import.meta.url),
);
const library = asset('uplot.js', packageFile('uplot/dist/uPlot.iife.min.js'));
const script = asset('dashboards.js', new URL('./dashboards.browser.js', import.meta.url));

export interface DashboardsView {
  viewer: Viewer;
  range: Range;
  /** The one that it is of; null for all. */
  application: string | null;
  /** To choose from. */
  applications: readonly string[];
  dashboard: Dashboard;
}

const pathOf = (range: Range, application: string | null): string =>
  `/ops/dashboards?${new URLSearchParams({ range, ...(application === null ? {} : { application }) }).toString()}`;

/** The four metrics, added up over all processes. */
export function dashboardsPage(view: DashboardsView): Html {
  const { viewer, dashboard, application } = view;
  return consoleLayout({
    title: `Dashboards${application === null ? '' : ` of ${application}`}`,
    current: 'dashboards',
    viewer,
    body: html`<link rel="stylesheet" href="${style}" />
      <div class="dashboards">
        <h1>Dashboards</h1>
        ${choices(view)} ${asOf(view)} ${paymentPart(dashboard)} ${timePart(dashboard)}
        ${deliveryPart(dashboard, application)} ${failurePart(dashboard)}
      </div>
      <script src="${library}" defer></script>
      <script type="module" src="${script}"></script>`,
  });
}

const choices = ({ range, application, applications }: DashboardsView): Html =>
  html`<div class="choices">
    <nav aria-label="Range" class="ranges">
      ${Object.entries(ranges).map(
        ([name, { words }]) =>
          html`<a
            href="${pathOf(name === '24h' || name === '7d' || name === '30d' ? name : '90d', application)}"
            ${name === range ? html`aria-current="true"` : nothing}
            >${words}</a
          >`,
      )}
    </nav>
    <form method="get" action="/ops/dashboards">
      <input type="hidden" name="range" value="${range}" />
      <label for="application">Application</label>
      <select id="application" name="application">
        <option value="">All</option>
        ${applications.map(
          (name) => html`<option value="${name}" ${name === application ? html`selected` : nothing}>${name}</option>`,
        )}
      </select>
      <button class="quiet">Show</button>
    </form>
  </div>`;

const asOf = ({ range, application, dashboard: { window, asOf } }: DashboardsView): Html =>
  html`<p class="soft as-of">
    As of <time datetime="${asOf}">${momentOf(asOf)}</time>, from ${momentOf(window.from)} on; all times are UTC.
    Changes are against the ${ranges[range].words} before. <a href="${pathOf(range, application)}">Refresh</a>
  </p>`;

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Registry } from 'prom-client';
import { parse } from 'yaml';
import { doctorChecks } from '../../src/ops/finding.js';
import { scrape, type Scrape } from '../support/scrape.js';
import { startTestService, type TestService } from '../support/service.js';
import { readPromQL, type Selector } from './promql.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): Promise<string> => readFile(join(root, path), 'utf8');

interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  for?: string;
  labels?: { severity: string };
  annotations?: { summary: string; runbook_url: string };
}
interface Panel {
  id: number;
  title: string;
  type: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string }[];
}

/** Made by Prometheus itself at every scrape. */
const synthetic = new Set(['up']);
/** Given to every series by the scrape. */
const scrapeLabels = ['job', 'instance'];

const partsOf = (name: string, type: string): string[] =>
  type === 'histogram' || type === 'summary' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];

describe('What watches the service', () => {
  let shop: TestService;
  let exposed: Scrape;
  let labelsOf: Map<string, string[]>;
  let rules: Rule[];
  let alerts: Rule[];
  let recorded: Set<string>;
  let panels: Panel[];
  let expressions: { where: string; text: string }[];
  let runbook: string;

  beforeAll(async () => {
    shop = await startTestService();
    // What some series begin with.
    await shop.api('POST', '/v1/payments', { orderId: 'watched', amount: '50.00', currency: 'USD' });
    exposed = await scrape(shop.url);
    const registry = shop.service.app.get(Registry).getMetricsAsArray() as unknown as {
      name: string;
      labelNames: string[];
    }[];
    labelsOf = new Map(
      registry.flatMap(({ name, labelNames }) =>
        partsOf(name, exposed.types.get(name) ?? '').map((part): [string, string[]] => [
          part,
          [...labelNames, ...(part.endsWith('_bucket') ? ['le'] : [])],
        ]),
      ),
    );
    const { groups } = parse(await read('monitoring/alerts.yml')) as { groups: { name: string; rules: Rule[] }[] };
    rules = groups.flatMap((group) => group.rules);
    alerts = rules.filter(({ alert }) => alert !== undefined);
    recorded = new Set(rules.flatMap(({ record }) => record ?? []));
    const dashboard = JSON.parse(await read('monitoring/dashboard.json')) as { panels: Panel[] };
    panels = dashboard.panels;
    expressions = [
      ...rules.map(({ alert, record, expr }) => ({ where: alert ?? record ?? '', text: expr })),
      ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: title, text: expr }))),
    ];
    runbook = await read('docs/operations.md');
  });
  afterAll(() => shop.close());

  const selectors = (): (Selector & { where: string })[] =>
    expressions.flatMap(({ where, text }) => readPromQL(text).selectors.map((each) => ({ where, ...each })));

  it('speaks PromQL without a fault, in every alert and panel', () => {
    const faults = expressions.flatMap(({ where, text }) =>
      readPromQL(text).faults.map((fault) => `${where}: ${fault}`),
    );
    expect(faults).toEqual([]);
    expect(expressions.length).toBeGreaterThan(150);
    expect(readPromQL('sum by (le (rate(x[5m]))').faults).not.toEqual([]);
    expect(readPromQL('a{b="c"} > > 1').faults).not.toEqual([]);
  });

  it('asks for no metric that a running service does not expose, and no record that no rule makes', () => {
    const known = new Set([...labelsOf.keys(), ...recorded, ...synthetic]);
    const unknown = selectors().filter(({ metric }) => !known.has(metric));
    expect(unknown.map(({ where, metric }) => `${where}: ${metric}`)).toEqual([]);
    expect(new Set(selectors().map(({ metric }) => metric)).size).toBeGreaterThan(70);
  });

  it('asks for no label that the metric does not have', () => {
    const strange = selectors().flatMap(({ where, metric, matchers }) =>
      matchers
        .filter(
          ({ label }) => labelsOf.has(metric) && ![...(labelsOf.get(metric) ?? []), ...scrapeLabels].includes(label),
        )
        .map(({ label }) => `${where}: ${metric}{${label}}`),
    );
    expect(strange).toEqual([]);
    const grouped = expressions.flatMap(({ where, text }) => {
      const { selectors: found, grouped: labels } = readPromQL(text);
      const has = new Set(found.flatMap(({ metric }) => [...(labelsOf.get(metric) ?? []), ...scrapeLabels]));
      return labels.filter((label) => !has.has(label)).map((label) => `${where}: ${label}`);
    });
    expect(grouped).toEqual([]);
  });

  it('asks for no value of a closed list that is not in it', () => {
    const told = new Map<string, Set<string>>();
    for (const { name, labels } of exposed.series)
      for (const [label, value] of Object.entries(labels)) {
        const key = `${name} ${label}`;
        told.set(key, (told.get(key) ?? new Set()).add(value));
      }
    // Ages are absent while nothing waits, and an answer has a class once it was given.
    const open = /_timestamp_seconds$|^http_/;
    const missing = selectors()
      .filter(({ metric }) => metric.startsWith('finality_') && !open.test(metric))
      .flatMap(({ where, metric, matchers }) =>
        matchers.flatMap(({ label, operator, value }) =>
          (operator === '=' || operator === '!=' ? [value] : value.split('|'))
            .filter((each) => !scrapeLabels.includes(label) && !/[.*+]/.test(each))
            .filter((each) => !(label === 'le' ? leads(told, metric, each) : told.get(`${metric} ${label}`)?.has(each)))
            .map((each) => `${where}: ${metric}{${label}="${each}"}`),
        ),
      );
    expect(missing).toEqual([]);
  });
  const leads = (told: ReadonlyMap<string, Set<string>>, metric: string, bound: string): boolean =>
    told.get(`${metric} le`)?.has(bound) ?? false;

  it('tells for each alert how bad it is, what happens, and where it is explained', () => {
    for (const { alert = '', labels, annotations, for: duration } of alerts) {
      expect([alert, labels?.severity]).toEqual([alert, expect.stringMatching(/^(page|ticket|none)$/)]);
      expect([alert, annotations?.summary]).toEqual([alert, expect.stringMatching(/.{20}/)]);
      expect(annotations?.runbook_url).toBe(`docs/operations.md#${alert.toLowerCase()}`);
      expect([alert, duration ?? '0s']).toEqual([alert, expect.stringMatching(/^\d+[smh]$/)]);
    }
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBeGreaterThan(40);
  });

  it('fills summaries only with labels that the alert has', () => {
    for (const { alert = '', expr, annotations } of alerts) {
      const wanted = [...(annotations?.summary ?? '').matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label ?? '');
      const { grouped, selectors: found } = readPromQL(expr);
      // Where nothing is grouped, a series keeps its own labels; `max(…)` keeps none.
      const kept = grouped.length > 0 || /^\s*(sum|max|min|time|histogram_quantile)\b/.test(expr) ? grouped : [];
      const own = kept.length > 0 ? kept : found.flatMap(({ metric }) => labelsOf.get(metric) ?? []);
      for (const label of wanted)
        expect([alert, [...own, ...scrapeLabels]]).toEqual([alert, expect.arrayContaining([label])]);
    }
  });

  it('has a page of the runbook for every alert, and no alert is missing for a page', () => {
    const [, chapter = ''] = /\n## Alerts\n(.*?)\n## /s.exec(runbook) ?? [];
    const told = [...chapter.matchAll(/^#### (\S+)$/gm)].map(([, name]) => name);
    expect(told.sort()).toEqual([...new Set(alerts.map(({ alert }) => alert))].sort());
  });

  it('has a page of the runbook for every check of the doctor, and no other', () => {
    const [, chapter = ''] = /\n## Findings of the doctor\n(.*?)\n## /s.exec(runbook) ?? [];
    const told = [...chapter.matchAll(/^#### (.+)$/gm)].map(([, name]) => name);
    expect(told.sort()).toEqual([...doctorChecks].sort());
  });

  it('lists in docs/metrics.md every metric of the service with its type and labels, and no other', async () => {
    const table = [...(await read('docs/metrics.md')).matchAll(/^\| `(\w+)` +\| (\w+) +\| ([^|]*)\|/gm)];
    const told = table.map(([, name = '', type = '', labels = '']) => [
      name,
      type,
      [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label).sort(),
    ]);
    const ours = [...exposed.types].filter(([name]) => !/^(process|nodejs)_/.test(name));
    const expected = ours.map(([name, type]) => {
      const labels = labelsOf.get(type === 'histogram' ? `${name}_count` : name) ?? [];
      return [name, type, [...labels].sort()];
    });
    expect(told.sort()).toEqual(expected.sort());
  });

  it('shows panels that do not overlap, each with a title and a word of explanation', () => {
    const cells = new Set<string>();
    for (const { title, type, description, gridPos, targets = [] } of panels) {
      if (type !== 'row')
        expect([title, description, targets.length]).toEqual([title, expect.stringMatching(/./), expect.any(Number)]);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([title, cells.has(`${String(x)} ${String(y)}`)]).toEqual([title, false]);
          cells.add(`${String(x)} ${String(y)}`);
        }
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    }
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(panels.filter(({ type }) => type === 'row').map(({ title }) => title.slice(0, 2))).toEqual([
      '1.',
      '2.',
      '3.',
      '4.',
      '5.',
      '6.',
      '7.',
      '8.',
      '9.',
    ]);
  });

  it('names a counter by `_total` and nothing else so, and every unit as Prometheus wants it', () => {
    const ours = [...exposed.types].filter(([name]) => name.startsWith('finality_'));
    for (const [name, type] of ours) {
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
      expect(name).not.toMatch(/_(ms|milliseconds|minutes|kb|percent)(_|$)/);
      if (type === 'histogram') expect(name).toMatch(/_seconds$/);
    }
  });

  it('is bounded: no label holds an id, and there are fewer series than a Prometheus notices', () => {
    expect(
      exposed.series.filter(({ labels }) => Object.values(labels).some((value) => /[0-9a-f]{8}-/.test(value))),
    ).toEqual([]);
    expect(exposed.series.filter(({ name }) => name.startsWith('finality_')).length).toBeLessThan(1500);
  });
});

// deploy/monitoring names metrics and labels that there are, and leaves none of the important ones out.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parser } from '@prometheus-io/lezer-promql';
import { parse } from 'yaml';
import { root } from '../support/deploy.js';

const FOLDER = join(root, 'deploy/monitoring');
const alerts = parse(readFileSync(join(FOLDER, 'alerts.yaml'), 'utf8')) as {
  groups: { rules: { alert: string; expr: string; annotations: Record<string, string> }[] }[];
};
const dashboard = JSON.parse(readFileSync(join(FOLDER, 'grafana-dashboard.json'), 'utf8')) as {
  panels: { id: number; title: string; targets: { expr: string; legendFormat: string }[] }[];
};

/** Name → labels, out of the tables of the reference, which is made from the sources. */
const documented = new Map(
  [...readFileSync(join(root, 'docs/reference/metrics.md'), 'utf8').matchAll(/^\| `(foundation_\w+)`.*$/gm)].map(
    ([line, name]) => [name!, new Set([...line.matchAll(/`([a-z]+)`/g)].map(([, label]) => label!))],
  ),
);
/** What Prometheus adds: the target, the job and the bound of a bucket. */
const OF_PROMETHEUS = ['instance', 'job', 'le'];
const rules = alerts.groups.flatMap((group) => group.rules);
const expressions = [
  ...rules.map(({ alert, expr }) => [alert, expr] as const),
  ...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const)),
];

function metricsIn(expr: string): string[] {
  return [...expr.matchAll(/foundation_\w+/g)].map(([name]) => name.replace(/_(?:bucket|count|sum)$/, ''));
}

function labelsIn(expr: string): string[] {
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(','));
  const matched = [...expr.matchAll(/(\w+)\s*=~?"/g)].map(([, label]) => label!);
  return [...grouped, ...matched].map((label) => label.trim());
}

/** What Prometheus, by the grammar of its own editor, does not read; the variables of Grafana are times. */
function unreadIn(expr: string): string[] {
  const text = expr.replace(/\$__(?:rate_)?interval\b|\$__range\b/g, '5m');
  const unread: string[] = [];
  parser.parse(text).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) unread.push(`at ${from}: ${text.slice(from, to + 20)}`);
    },
  });
  return unread;
}

describe('deploy/monitoring', () => {
  it.each(expressions)('%s: is an expression that Prometheus reads', (_title, expr) => {
    expect(unreadIn(expr)).toEqual([]);
  });

  it('would find what it does not read', () => {
    for (const wrong of ['rate(foundation_calls_total[5m)', 'sum by job (x)', 'x > > 1', 'rate(x[])', 'x{a=~b}'])
      expect([wrong, unreadIn(wrong).length]).not.toEqual([wrong, 0]);
  });

  it('reads the reference', () => {
    expect(documented.size).toBeGreaterThan(30);
    expect(documented.get('foundation_leases_lost_total')).toContain('reason');
  });

  it.each(expressions)('%s: has only metrics and labels that a node gives', (_title, expr) => {
    const metrics = metricsIn(expr);
    expect(metrics).not.toEqual([]);
    for (const name of metrics) expect(documented.has(name) ? name : `no metric ${name}`).toBe(name);
    const known = [...OF_PROMETHEUS, ...metrics.flatMap((name) => [...documented.get(name)!])];
    for (const label of labelsIn(expr)) expect(known).toContain(label);
  });

  it('writes only labels into its texts that the expression leaves', () => {
    const texts = [
      ...rules.map(({ expr, annotations }) => ({ expr, text: Object.values(annotations).join(' ') })),
      ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr, legendFormat: text }) => ({ expr, text }))),
    ];
    for (const { expr, text } of texts) {
      const isGrouped = /\bby \(/.test(expr);
      const left = isGrouped
        ? labelsIn(expr)
        : [...OF_PROMETHEUS, ...metricsIn(expr).flatMap((name) => [...documented.get(name)!])];
      for (const [, label] of text.matchAll(/\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}/g)) expect(left).toContain(label);
    }
  });

  it('alerts about everything that means a loss', () => {
    const all = rules.map(({ expr }) => expr).join(' ');
    for (const name of ['data_losses', 'leases_lost', 'escalations', 'cron_missed', 'messages_dead', 'messages_missed'])
      expect(all).toContain(name);
  });

  it('has names and places that are used once', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });
});

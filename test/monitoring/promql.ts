import { parser } from '@prometheus-io/lezer-promql';
import type { SyntaxNode } from '@lezer/common';

/** One selector of series in an expression, and the labels that the expression does something with. */
export interface Selector {
  metric: string;
  matchers: { label: string; operator: string; value: string }[];
}

export interface Reading {
  /** Parts that are no PromQL. */
  faults: string[];
  selectors: Selector[];
  /** Labels that series are grouped or joined by. */
  grouped: string[];
}

/** Grafana's own variables stand for something that Prometheus can read. */
const filled = (expression: string): string =>
  expression.replaceAll('$__rate_interval', '5m').replaceAll('$job', 'finality');

const inside = (node: SyntaxNode, name: string): SyntaxNode[] => {
  const found: SyntaxNode[] = [];
  node.cursor().iterate((each) => {
    if (each.name === name && each.node.from >= node.from && each.node.to <= node.to) found.push(each.node);
  });
  return found;
};

/** Reads an expression with the grammar that Prometheus's own editor uses. */
export function readPromQL(expression: string): Reading {
  const text = filled(expression);
  const read: Reading = { faults: [], selectors: [], grouped: [] };
  const of = (node: SyntaxNode): string => text.slice(node.from, node.to);
  const tree = parser.parse(text);
  tree.iterate({
    enter: ({ node, type }) => {
      if (type.isError) read.faults.push(`${text.slice(0, node.from)}◀ ${text.slice(node.from)}`);
      if (type.name === 'VectorSelector') {
        const [identifier] = inside(node, 'Identifier');
        const matchers = inside(node, 'UnquotedLabelMatcher').map((matcher) => {
          const [label, operator, value] = ['LabelName', 'MatchOp', 'StringLiteral'].map((name) =>
            of(matcher.getChild(name) ?? matcher),
          );
          return { label: label ?? '', operator: operator ?? '', value: (value ?? '').slice(1, -1) };
        });
        read.selectors.push({ metric: identifier ? of(identifier) : '', matchers });
      }
      if (type.name === 'GroupingLabels') read.grouped.push(...inside(node, 'LabelName').map(of));
    },
  });
  return read;
}

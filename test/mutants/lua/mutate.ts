import { type Node, nodesOf, rangeOf, sourceOf, treeOf } from './tree.ts';

/** A library with one mistake. */
export interface Mutant {
  /** The function that is wrong. */
  function: string;
  /** What is there, and what stands in its place: the lines of the change, without white space around them. */
  from: string;
  to: string;
  source: string;
}

const SWAPPED: Record<string, string> = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '==': '~=',
  '~=': '==',
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '%': '*',
  and: 'or',
  or: 'and',
};

/** Every library that differs from this one in one place: an operator, a condition, a constant, a statement. */
export function mutants(source: string): Mutant[] {
  const { text, chunk } = treeOf(source);
  const found: Mutant[] = [];
  for (const { node, around } of nodesOf(chunk)) {
    for (const [from, to, by] of changes(node, text)) {
      const mutated = text.slice(0, from) + by + text.slice(to);
      const start = text.lastIndexOf('\n', from - 1) + 1;
      const end = `${text}\n`.indexOf('\n', to);
      found.push({
        function: around || 'top level',
        from: shown(text.slice(start, end)),
        to: shown(text.slice(start, from) + by + text.slice(to, end)),
        source: sourceOf(mutated),
      });
    }
  }
  return found;
}

function* changes(node: Node, text: string): Generator<[from: number, to: number, by: string]> {
  const [from, to] = rangeOf(node);
  const own = text.slice(from, to);
  switch (node.type) {
    case 'BinaryExpression':
    case 'LogicalExpression': {
      const [, left] = rangeOf(node.left);
      const [right] = rangeOf(node.right);
      const between = text.slice(left, right);
      const by = SWAPPED[node.operator];
      if (by) yield [left, right, between.replace(node.operator, by)];
      return;
    }
    case 'UnaryExpression':
      if (node.operator === 'not') yield [from, to, text.slice(rangeOf(node.argument)[0], to)];
      return;
    case 'IfClause':
    case 'ElseifClause':
    case 'WhileStatement':
    case 'RepeatStatement': {
      const [start, end] = rangeOf(node.condition);
      // Where the condition is one of these, its own change says the same.
      const { condition } = node;
      if (condition.type === 'UnaryExpression' || condition.type === 'BinaryExpression') return;
      yield [start, end, `not (${text.slice(start, end)})`];
      return;
    }
    case 'NumericLiteral':
      yield [from, to, String(node.value + 1)];
      return;
    case 'BooleanLiteral':
      yield [from, to, String(!node.value)];
      return;
    case 'StringLiteral':
      // Sentences are for people, and no rule.
      if (!own.includes(' ')) yield [from, to, `${own.slice(0, -1)}~${own.slice(-1)}`];
      return;
    case 'CallStatement':
    case 'AssignmentStatement':
    case 'IfStatement':
      yield [from, to, ''];
      return;
    case 'BreakStatement':
      yield [from, to, ''];
      return;
    case 'ReturnStatement':
      if (node.arguments.length > 0 && own !== 'return nil') yield [from, to, 'return nil'];
      return;
    default:
  }
}

function shown(lines: string): string {
  return sourceOf(lines.replace(/\s+/g, ' ').trim());
}

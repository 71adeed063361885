import luaparse from 'luaparse';

type Node = luaparse.Node;

/** A library with one mistake. */
export interface Mutant {
  /**
   * The function, what is there and what stands in its place: `due: limit > 100 → limit >= 100`. Where a function has the
   * same twice, they are counted: `due: size > 0 → size > 1 #2`. It stays what it is when lines move or change around it.
   */
  name: string;
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

/** How much of a place is shown, in characters. */
const LONGEST = 100;

/** Every library that differs from this one in one place: an operator, a condition, a constant, a statement. */
export function mutants(source: string): Mutant[] {
  // Lua's strings are bytes, so the text is latin1: one character is one byte.
  const text = Buffer.from(source, 'utf8').toString('latin1');
  const found: Mutant[] = [];
  const seen = new Map<string, number>();
  // The nodes that the current one is in, the outermost first.
  const outer: Node[] = [];
  for (const node of nodesOf(text)) {
    while (outer.length > 0 && rangeOf(outer.at(-1) as Node)[1] < rangeOf(node)[1]) outer.pop();
    const around = outer.reduce((name, one) => (isFunction(one) ? (one.identifier?.name ?? name) : name), 'top level');
    const within = outer
      .slice(outer.findLastIndex(isFunction) + 1)
      .findLast(({ type }) => type === 'CallExpression' || type === 'BinaryExpression');
    outer.push(node);
    for (const [from, to, by] of changes(node, text)) {
      const [start, end] = span(node, within) ?? [from, to];
      const change = `${shown(text.slice(start, end))} → ${shown(text.slice(start, from) + by + text.slice(to, end))}`;
      const name = `${around}: ${change.trim()}`;
      const times = (seen.get(name) ?? 0) + 1;
      seen.set(name, times);
      const mutated = text.slice(0, from) + by + text.slice(to);
      found.push({ name: times > 1 ? `${name} #${times}` : name, source: sourceOf(mutated) });
    }
  }
  return found;
}

/** Every node in the order of the text, those that others are in before them. */
function nodesOf(text: string): Node[] {
  const nodes: Node[] = [];
  const onCreateNode = (node: Node) => nodes.unshift(node);
  luaparse.parse(text, { luaVersion: '5.1', encodingMode: 'pseudo-latin1', ranges: true, onCreateNode });
  return nodes.sort((a, b) => rangeOf(a)[0] - rangeOf(b)[0] || rangeOf(b)[1] - rangeOf(a)[1]);
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
      if (node.operator === 'not') yield [from, to, own.replace(/^not\s*/, '')];
      return;
    case 'IfClause':
    case 'ElseifClause':
    case 'WhileStatement':
    case 'RepeatStatement': {
      const { condition } = node;
      const [start, end] = rangeOf(condition);
      // Where the condition is one of these, its own change says the same.
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
    case 'BreakStatement':
      yield [from, to, ''];
      return;
    case 'ReturnStatement':
      // To Lua's conditions, nil and false are the same.
      if (node.arguments.length > 0 && own !== 'return nil' && own !== 'return false') yield [from, to, 'return nil'];
      return;
    default:
  }
}

/** What to show, where the change alone would not tell which one it is: `1` say, or `and`. */
function span(node: Node, within: Node | undefined): [from: number, to: number] | undefined {
  if (node.type === 'BinaryExpression' || node.type === 'LogicalExpression') return rangeOf(node);
  if (!within || !['NumericLiteral', 'StringLiteral', 'BooleanLiteral'].includes(node.type)) return undefined;
  const [from, to] = rangeOf(within);
  return to - from > LONGEST ? undefined : [from, to];
}

function shown(lines: string): string {
  const line = sourceOf(lines.replace(/\s+/g, ' ').trim());
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
}

/** latin1 back to what is loaded. */
function sourceOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}

function isFunction(node: Node): node is luaparse.FunctionDeclaration & { identifier: { name?: string } | null } {
  return node.type === 'FunctionDeclaration';
}

/** Where a node begins and ends in the text. */
function rangeOf(node: Node): [from: number, to: number] {
  return (node as unknown as { range: [number, number] }).range;
}

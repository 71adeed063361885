import luaparse from 'luaparse';

type Node = luaparse.Node;

/** A library with one mistake. */
export interface Mutant {
  /**
   * The function, what is there and what stands in its place: `due: limit > 100 → limit >= 100`. Where a function has the
   * same twice, they are counted: `due: size > 0 → size > 1 #2`. It stays what it is when lines move or change around it.
   */
  name: string;
  /** The function that is wrong. */
  function: string;
  /** Where in the source. */
  line: number;
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
  const options = { luaVersion: '5.1', encodingMode: 'pseudo-latin1', ranges: true, locations: true } as const;
  const found: Mutant[] = [];
  const seen = new Map<string, number>();
  for (const { node, around, within } of nodesOf(luaparse.parse(text, options))) {
    for (const [from, to, by] of changes(node, text)) {
      const mutated = text.slice(0, from) + by + text.slice(to);
      const [start, end] = span(node, within) ?? [from, to];
      const change = `${shown(text.slice(start, end))} → ${shown(text.slice(start, from) + by + text.slice(to, end))}`;
      const name = `${around || 'top level'}: ${change.trim()}`;
      const times = (seen.get(name) ?? 0) + 1;
      seen.set(name, times);
      found.push({
        name: times > 1 ? `${name} #${times}` : name,
        function: around || 'top level',
        line: node.loc?.start.line ?? 0,
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

/** Where a node begins and ends in the text. */
function rangeOf(node: Node): [from: number, to: number] {
  const { range } = node as { range?: [number, number] };
  if (!range) throw new Error(`${node.type} has no place`);
  return range;
}

/** A node, the name of the function around it, and the call or comparison around it if it is in one. */
interface Place {
  node: Node;
  around: string;
  within?: Node | undefined;
}

/** Every node in the order of the text. */
function* nodesOf(node: Node, around = '', within?: Node): Generator<Place> {
  yield { node, around, within };
  const inside =
    node.type === 'FunctionDeclaration' && node.identifier?.type === 'Identifier' ? node.identifier.name : around;
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value])
      if (isNode(child)) yield* nodesOf(child, inside, surrounding(node, within));
  }
}

function surrounding(node: Node, within: Node | undefined): Node | undefined {
  if (node.type === 'FunctionDeclaration') return undefined;
  return node.type === 'CallExpression' || node.type === 'BinaryExpression' ? node : within;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

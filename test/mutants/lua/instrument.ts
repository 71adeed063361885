import {
  type Insertion,
  inserted,
  lineOf,
  type Node,
  nodesOf,
  rangeOf,
  sourceOf,
  statementsOf,
  treeOf,
} from './tree.ts';

/** Something that a run can reach: a line with a statement, or one outcome of a condition. */
export interface Point {
  line: number;
  /** The condition and its outcome; absent for a line. */
  branch?: string;
  /** The function it is in. */
  around: string;
}

export interface Instrumented {
  source: string;
  /** By the numbers that conv_coverage answers. */
  points: ReadonlyMap<number, Point>;
}

/** A library that counts what it reaches: a further function, conv_coverage, answers the numbers of it. */
export function instrument(source: string): Instrumented {
  const { text, chunk } = treeOf(source);
  const points = new Map<number, Point>();
  const insertions: Insertion[] = [];
  let next = 1;
  const wrap = (node: Node, around: string) => {
    const [from, to] = rangeOf(node);
    const size = to - from;
    const shown = text.slice(from, to).replace(/\s+/g, ' ');
    insertions.push(
      { at: from, text: `__branch(${next}, `, size, closes: false },
      { at: to, text: ')', size, closes: true },
    );
    for (const outcome of ['true', 'false'])
      points.set(next++, { line: lineOf(node), around, branch: `${shown} → ${outcome}` });
  };
  for (const { node, around } of nodesOf(chunk)) {
    for (const statement of statementsOf(node)) {
      const [at] = rangeOf(statement);
      insertions.push({ at, text: `__reached[${next}] = true; `, size: Number.MAX_SAFE_INTEGER, closes: false });
      const inside =
        node.type === 'FunctionDeclaration' && node.identifier?.type === 'Identifier' ? node.identifier.name : around;
      points.set(next++, { line: lineOf(statement), around: inside });
    }
    if (node.type === 'LogicalExpression') wrap(node.left, around);
    if (node.type === 'WhileStatement' || node.type === 'RepeatStatement') wrap(node.condition, around);
    if (node.type === 'IfClause' || node.type === 'ElseifClause') wrap(node.condition, around);
  }
  const [first = '', ...rest] = inserted(text, insertions).split('\n');
  return { source: sourceOf([first, PROLOGUE + rest[0], ...rest.slice(1)].join('\n')) + EPILOGUE, points };
}

const PROLOGUE = 'local __reached = {} local function __branch(n, v) __reached[v and n or n + 1] = true return v end ';

const EPILOGUE = `
redis.register_function({
  function_name = 'conv_coverage',
  callback = function()
    local found = {}
    for n in pairs(__reached) do found[#found + 1] = n end
    return found
  end,
  flags = { 'no-writes' },
})
`;

import luaparse from 'luaparse';

export type Node = luaparse.Node;

/** A Lua source and its syntax tree. Lua's strings are bytes, so the text is latin1: one character is one byte. */
export interface Tree {
  text: string;
  chunk: luaparse.Chunk;
}

export function treeOf(source: string): Tree {
  const text = Buffer.from(source, 'utf8').toString('latin1');
  const options = { luaVersion: '5.1', encodingMode: 'pseudo-latin1', ranges: true, locations: true } as const;
  return { text, chunk: luaparse.parse(text, options) };
}

/** latin1 back to what is loaded. */
export function sourceOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}

/** Where a node begins and ends in the text. */
export function rangeOf(node: Node): [from: number, to: number] {
  const { range } = node as { range?: [number, number] };
  if (!range) throw new Error(`${node.type} has no place`);
  return range;
}

export function lineOf(node: Node): number {
  return node.loc?.start.line ?? 0;
}

/** A node, the name of the function around it, and the call or comparison around it if it is in one. */
export interface Place {
  node: Node;
  around: string;
  within?: Node | undefined;
}

/** Every node in the order of the text. */
export function* nodesOf(node: Node, around = '', within?: Node): Generator<Place> {
  yield { node, around, within };
  const inside = node.type === 'FunctionDeclaration' && node.identifier ? nameOf(node.identifier) : around;
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value])
      if (isNode(child)) yield* nodesOf(child, inside, surrounding(node, within));
  }
}

function surrounding(node: Node, within: Node | undefined): Node | undefined {
  if (node.type === 'FunctionDeclaration') return undefined;
  return node.type === 'CallExpression' || node.type === 'BinaryExpression' ? node : within;
}

function nameOf(identifier: Node): string {
  return identifier.type === 'Identifier' ? identifier.name : '';
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

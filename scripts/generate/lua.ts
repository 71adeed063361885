import luaparse from 'luaparse';

/** What a person has to change in the Lua: its message is `file:line: what is wrong; what is wanted`. */
export class Mistake extends Error {}

export type Call = luaparse.CallExpression | luaparse.TableCallExpression | luaparse.StringCallExpression;

/** One comment line, without the code around it. */
export interface Comment {
  line: number;
  text: string;
  /** Whether code stands before it on its line. */
  trailing: boolean;
}

export interface LuaFile {
  path: string;
  source: string;
  bytes: Uint8Array;
  statements: luaparse.Statement[];
  comments: Comment[];
  mistake(at: luaparse.Node | number, message: string): Mistake;
}

export function parseLua(bytes: Uint8Array, path: string): LuaFile {
  const mistake = (at: luaparse.Node | number, message: string) =>
    new Mistake(`${path}:${typeof at === 'number' ? at : lineOf(at)}: ${message}`);
  let source: string;
  try {
    source = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw mistake(1, 'the file is not UTF-8; save it as UTF-8 without a byte order mark.');
  }
  // Lua's strings are bytes: read as Latin-1, one character is one byte, which is also what luaparse wants.
  const latin1 = Buffer.from(bytes).toString('latin1');
  const chunk = parseChunk(latin1, mistake);
  const lines = latin1.split(/\r\n|\n\r|\n|\r/);
  const comments = (chunk.comments ?? []).map((comment) => {
    const { line = 0, column = 0 } = comment.loc?.start ?? {};
    const before = lines[line - 1]?.slice(0, column) ?? '';
    return { line, text: Buffer.from(comment.raw, 'latin1').toString('utf8'), trailing: before.trim() !== '' };
  });
  return { path, source, bytes, statements: chunk.body, comments, mistake };
}

function parseChunk(source: string, mistake: LuaFile['mistake']): luaparse.Chunk {
  try {
    return luaparse.parse(source, {
      luaVersion: '5.1',
      encodingMode: 'pseudo-latin1',
      comments: true,
      locations: true,
    });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const [, line = '1', what = error.message] = /^\[(\d+):\d+\] (.*)$/s.exec(error.message) ?? [];
    throw mistake(Number(line), `this is not Lua 5.1: ${what}.`);
  }
}

export function lineOf(node: luaparse.Node): number {
  return node.loc?.start.line ?? 0;
}

/** A node and everything in it. Names of members and of table fields are left out: they are no variables. */
export function* nodesIn(node: luaparse.Node): Generator<luaparse.Node> {
  yield node;
  for (const part of partsOf(node)) {
    for (const child of Array.isArray(part) ? part : [part]) if (isNode(child)) yield* nodesIn(child);
  }
}

function partsOf(node: luaparse.Node): unknown[] {
  if (node.type === 'MemberExpression') return [node.base];
  if (node.type === 'TableKeyString') return [node.value];
  return Object.values(node);
}

function isNode(value: unknown): value is luaparse.Node {
  return typeof value === 'object' && value !== null && 'type' in value;
}

export function isCall(node: luaparse.Node): node is Call {
  return node.type === 'CallExpression' || node.type === 'TableCallExpression' || node.type === 'StringCallExpression';
}

export function argumentsOf(call: Call): luaparse.Expression[] {
  if (call.type === 'CallExpression') return call.arguments;
  return [call.type === 'TableCallExpression' ? call.arguments : call.argument];
}

/** `error` or `redis.error_reply`: a variable, or one member of one; anything else is undefined. */
export function nameOf(expression: luaparse.Node | null | undefined): string | undefined {
  if (expression?.type === 'Identifier') return expression.name;
  if (expression?.type !== 'MemberExpression') return undefined;
  const base = nameOf(expression.base);
  return base && `${base}.${expression.identifier.name}`;
}

/** The names a top-level statement declares: `local a, b`, `local function a`, `function a.b`. */
export function declaredBy(statement: luaparse.Statement): string[] {
  if (statement.type === 'LocalStatement') return statement.variables.map((variable) => variable.name);
  if (statement.type !== 'FunctionDeclaration') return [];
  return [nameOf(statement.identifier)?.split('.')[0] ?? ''];
}

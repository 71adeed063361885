import type { Expression, FunctionDeclaration, Node, Statement } from 'luaparse';
import { argumentsOf, declaredBy, isCall, type LuaFile, nameOf, nodesIn } from './lua.ts';

export interface ErrorCodes {
  all: string[];
  /** The codes in an expression, and in everything it calls or names. */
  reachedFrom(node: Node): string[];
}

const RAISERS = ['error', 'redis.error_reply'];
const CATCHERS = ['pcall', 'xpcall', 'redis.pcall'];

/**
 * The first words of what the library throws or replies: of literals at the very left of what `error` and
 * `redis.error_reply` are given, also through helpers that put their first parameter there.
 */
export function readErrorCodes(file: LuaFile): ErrorCodes {
  const helpers = findHelpers(file);
  const codesOf = new Map<Statement, Map<Node, string>>();
  for (const statement of file.statements) codesOf.set(statement, codesIn(file, statement, helpers));
  const all = new Set([...codesOf.values()].flatMap((codes) => [...codes.values()]));
  return {
    all: [...all].sort(),
    reachedFrom(node) {
      const reached = new Set<Statement>();
      const follow = (from: Node) => {
        const names = new Set([...nodesIn(from)].map((inner) => (inner.type === 'Identifier' ? inner.name : '')));
        for (const statement of file.statements) {
          if (reached.has(statement) || !declaredBy(statement).some((name) => names.has(name))) continue;
          reached.add(statement);
          follow(statement);
        }
      };
      follow(node);
      return [...new Set([...reached].flatMap((statement) => [...(codesOf.get(statement)?.values() ?? [])]))].sort();
    },
  };
}

/** What stands where an error's code belongs: each operand a chain of `and` and `or` can come to, without what follows it. */
interface Site {
  node: Expression;
  /** Literals at its very left put together; undefined where there are none. */
  text: string | undefined;
  /** Whether something follows that is known at run time only. */
  open: boolean;
}

function* sitesIn(node: Node, helpers: Set<string>): Generator<Site> {
  for (const inner of nodesIn(node)) {
    const name = isCall(inner) ? nameOf(inner.base) : undefined;
    if (isCall(inner) && name && (RAISERS.includes(name) || helpers.has(name))) {
      const [first] = argumentsOf(inner);
      if (first) yield* operands(first);
    }
    // Redis takes { err = 'CODE …' } for an error too.
    if (inner.type === 'TableKeyString' && inner.key.name === 'err') yield* operands(inner.value);
  }
}

function operands(expression: Expression): Site[] {
  if (expression.type === 'LogicalExpression') {
    const left = expression.operator === 'or' ? operands(expression.left) : [];
    return [...left, ...operands(expression.right)];
  }
  const parts = concatenated(expression);
  const known = parts.findIndex((part) => part.type !== 'StringLiteral');
  const literals = known < 0 ? parts : parts.slice(0, known);
  const text = literals.map((part) => (part.type === 'StringLiteral' ? part.value : '')).join('');
  return [{ node: parts[0] ?? expression, text: literals.length > 0 ? text : undefined, open: known >= 0 }];
}

function concatenated(expression: Expression): Expression[] {
  if (expression.type !== 'BinaryExpression' || expression.operator !== '..') return [expression];
  return [...concatenated(expression.left), ...concatenated(expression.right)];
}

/** Top-level functions whose first parameter becomes the code, directly or through such a function above them. */
function findHelpers(file: LuaFile): Set<string> {
  const helpers = new Set<string>();
  for (const declared of file.statements) {
    if (declared.type !== 'FunctionDeclaration') continue;
    const name = nameOf(declared.identifier);
    if (name && [...sitesIn(declared, helpers)].some((site) => isFirstParameter(declared, site))) helpers.add(name);
  }
  return helpers;
}

function isFirstParameter(declared: FunctionDeclaration, { node }: Site): boolean {
  const [first] = declared.parameters;
  return first?.type === 'Identifier' && node.type === 'Identifier' && node.name === first.name;
}

function codesIn(file: LuaFile, statement: Statement, helpers: Set<string>): Map<Node, string> {
  const codes = new Map<Node, string>();
  const caught = caughtIn(file, statement);
  for (const site of sitesIn(statement, helpers)) {
    if (statement.type === 'FunctionDeclaration' && isFirstParameter(statement, site)) continue;
    if (site.text === undefined) {
      if (caught.has(rootOf(site.node))) continue;
      const wanted = 'a string literal, the first parameter of a top-level function, or what a pcall caught';
      throw file.mistake(site.node, `can't see the code of this error; wanted ${wanted}.`);
    }
    const [, code] = /^([A-Z][A-Z0-9_]*)(?:\s|$)/.exec(site.text) ?? [];
    if (code === undefined || (site.open && !/\s/.test(site.text))) {
      throw file.mistake(
        site.node,
        "an error without a code; wanted its first word in capitals, as in 'CODE what is wrong'.",
      );
    }
    codes.set(site.node, code);
  }
  return codes;
}

/** Variables that hold what a pcall answered: an error in them has been counted where it was raised. */
function caughtIn(file: LuaFile, statement: Statement): Set<string | undefined> {
  const caught = new Set<string | undefined>();
  for (const node of nodesIn(statement)) {
    if (node.type !== 'LocalStatement' && node.type !== 'AssignmentStatement') continue;
    if (!node.init.flatMap((init) => [...nodesIn(init)]).some(isCatcher)) continue;
    for (const variable of node.variables) caught.add(nameOf(variable));
  }
  if (statement.type !== 'FunctionDeclaration') return caught;
  const calls = file.statements.flatMap((other) => [...nodesIn(other)]).filter(isCall);
  const handed = calls.filter((call) => nameOf(call.base) === nameOf(statement.identifier));
  if (!handed.some((call) => argumentsOf(call).some(isCatcher))) return caught;
  for (const parameter of statement.parameters) caught.add(nameOf(parameter));
  return caught;
}

function isCatcher(node: Node): boolean {
  return isCall(node) && CATCHERS.includes(nameOf(node.base) ?? '');
}

/** `failure` of `failure.err` and `failure[2]`. */
function rootOf(expression: Expression): string | undefined {
  if (expression.type === 'MemberExpression' || expression.type === 'IndexExpression') return rootOf(expression.base);
  return nameOf(expression);
}

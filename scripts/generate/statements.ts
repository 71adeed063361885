/** Where the library and its TypeScript are, from the root of the project. */
export const LUA = 'lua/conversation.lua';
export const TYPESCRIPT = 'src/conversation.gen.ts';

/** What a person has to change in the Lua: its message names the line, what is wrong and what is wanted. */
export class Mistake extends Error {
  constructor(line: number, message: string) {
    super(`${LUA}:${line}: ${message}`);
  }
}

/** A statement of the file's top level. */
export interface Statement {
  line: number;
  /** The whole statement, without comments. */
  code: string;
  /** What it declares: `find` for `local function find(ref)`. */
  declares: string[];
  /** The variables that it names. */
  uses: Set<string>;
  /** The codes of the errors that it raises. */
  codes: string[];
}

const STRING_OR_COMMENT = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|--.*/g;

/** A statement of the top level begins in the first column, and what is in it is indented. */
export function readStatements(source: string): Statement[] {
  const code = source.replace(STRING_OR_COMMENT, (text) => (text.startsWith('--') ? '' : text));
  return [...code.matchAll(/^(?:local|function|redis)\b.*(?:\n(?!local\b|function\b|redis\b).*)*/gm)].map((match) => {
    const line = lineAt(code, match.index);
    return { line, code: match[0], ...namesIn(match[0]), codes: codesIn(match[0], line) };
  });
}

export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

function namesIn(code: string): { declares: string[]; uses: Set<string> } {
  const [, fn, variables = ''] = /^(?:local )?function (\w+)|^local ([\w, ]+)/.exec(code) ?? [];
  // A name behind a dot or a colon is a member, not a variable.
  const uses = code.replace(STRING_OR_COMMENT, '').match(/(?<![.:\w])[A-Za-z_]\w*/g);
  return { declares: fn ? [fn] : variables.split(/[, ]+/), uses: new Set(uses) };
}

/** Errors are raised by `fail('CODE', …)` alone, so that their codes can be seen. */
function codesIn(code: string, line: number): string[] {
  const raised = /(?<!function )\bfail\((?:\s*'([A-Z]+)',)?|\berror(?:_reply)?\(\s*['"]|\berr = ['"]/g;
  return [...code.matchAll(raised)].map(({ 1: raisedCode, index }) => {
    if (raisedCode !== undefined) return raisedCode;
    const wanted = "`fail('CODE', …)` with the code written out";
    throw new Mistake(line + lineAt(code, index) - 1, `can't see the code of this error; wanted ${wanted}.`);
  });
}

/** The codes that a function raises or anything that it names, directly or through others. */
export function codesReached(statements: Statement[], uses: Set<string>): string[] {
  // What is added on the way is followed too.
  const names = new Set(uses);
  const codes = new Set<string>();
  for (const name of names) {
    for (const reached of statements.filter(({ declares }) => declares.includes(name))) {
      for (const code of reached.codes) codes.add(code);
      for (const used of reached.uses) names.add(used);
    }
  }
  return [...codes].sort();
}

import type { Annotations } from './annotations.ts';
import { type LuaFile, lineOf } from './lua.ts';

/** A top-level constant that TypeScript shares: one with a docstring straight above it. */
export interface Constant {
  name: string;
  line: number;
  value: number | string;
  text: string;
}

/** `--- What it is.` above `local NAME = literal`, the name in capitals. */
export function readConstants(file: LuaFile, { blocks }: Annotations): Constant[] {
  return file.statements.flatMap((statement) => {
    const block = blocks.find(({ lastLine }) => lastLine === lineOf(statement) - 1);
    if (statement.type !== 'LocalStatement' || !block || block.doc.length === 0) return [];
    const [variable, ...others] = statement.variables;
    const [init] = statement.init;
    const isLiteral = init?.type === 'NumericLiteral' || init?.type === 'StringLiteral';
    if (!variable || others.length > 0 || !isLiteral || !/^[A-Z][A-Z0-9_]*$/.test(variable.name)) {
      const wanted = '`local NAME = ` with a number or a string, the name in capitals, or a comment of two dashes';
      throw file.mistake(statement, `what this docstring is about is not understood; wanted ${wanted}.`);
    }
    return [{ name: variable.name, line: lineOf(statement), value: init.value, text: block.doc.join(' ') }];
  });
}

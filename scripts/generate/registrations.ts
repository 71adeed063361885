import type { CallExpression, Expression, FunctionDeclaration, TableConstructorExpression } from 'luaparse';
import { argumentsOf, type Call, type LuaFile, nameOf, nodesIn } from './lua.ts';

/** One `redis.register_function`, as the code says it. */
export interface Registration {
  line: number;
  name: string;
  flags: string[];
  callback: Expression;
  /** The top-level function that answers, itself or handed to the call that makes the callback. */
  serves: FunctionDeclaration;
  /** Whether Redis calls that function itself, with its two tables of keys and arguments. */
  direct: boolean;
  /** The fewest and the most arguments that the call which makes the callback was told. */
  limits: { line: number; fewest: number; most: number | undefined } | undefined;
}

const REGISTER = 'redis.register_function';
const FLAGS = ['no-writes', 'allow-oom', 'allow-stale', 'no-cluster', 'allow-cross-slot-keys'];

export function readRegistrations(file: LuaFile): Registration[] {
  const top = file.statements.flatMap((statement) =>
    statement.type === 'CallStatement' && nameOf(statement.expression.base) === REGISTER ? [statement.expression] : [],
  );
  for (const node of file.statements.flatMap((statement) => [...nodesIn(statement)])) {
    if (nameOf(node) === REGISTER && !top.some((call) => call.base === node)) {
      throw file.mistake(node, `${REGISTER} is not called at the top level; register each function there by its name.`);
    }
  }
  if (top.length === 0) throw file.mistake(1, `nothing is registered; wanted at least one ${REGISTER}.`);
  const registrations = top.map((call) => readRegistration(file, call));
  refuseTwins(file, registrations);
  return registrations;
}

function readRegistration(file: LuaFile, call: Call): Registration {
  const given = argumentsOf(call);
  const [first, second] = given;
  const fields =
    first?.type === 'TableConstructorExpression' && given.length === 1
      ? namedFields(file, first)
      : new Map([
          ['function_name', first],
          ['callback', second],
        ]);
  const named = fields.get('function_name');
  const callback = fields.get('callback');
  if (!named || !callback || given.length > 2) {
    throw file.mistake(call, 'a registration without a name or without a callback; wanted both.');
  }
  const name = literal(file, named, 'the name of a function');
  if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(name)) {
    throw file.mistake(named, `'${name}' is no name for a function; wanted letters, digits and _, a letter first.`);
  }
  const direct = callback.type === 'Identifier';
  return {
    line: named.loc?.start.line ?? 0,
    name,
    flags: readFlags(file, fields.get('flags')),
    callback,
    serves: servedFunction(file, name, callback),
    direct,
    limits: callback.type === 'CallExpression' ? limitsOf(file, callback) : undefined,
  };
}

function namedFields(file: LuaFile, table: TableConstructorExpression): Map<string, Expression> {
  const fields = new Map<string, Expression>();
  for (const field of table.fields) {
    const key = field.type === 'TableKeyString' ? field.key.name : '';
    if (!['function_name', 'callback', 'flags', 'description'].includes(key)) {
      const wanted = 'function_name, callback, flags and description';
      throw file.mistake(field, `this field of a registration is not understood; wanted ${wanted}.`);
    }
    fields.set(key, field.value);
  }
  return fields;
}

function readFlags(file: LuaFile, flags: Expression | undefined): string[] {
  if (!flags) return [];
  if (flags.type !== 'TableConstructorExpression') throw file.mistake(flags, 'flags are not a table of literals.');
  return flags.fields.map((field) => {
    if (field.type !== 'TableValue') throw file.mistake(field, "a flag has no key; wanted flags = { 'no-writes' }.");
    const flag = literal(file, field.value, 'a flag');
    if (!FLAGS.includes(flag)) throw file.mistake(field, `unknown flag '${flag}'; wanted one of ${FLAGS.join(', ')}.`);
    return flag;
  });
}

function literal(file: LuaFile, expression: Expression, what: string): string {
  if (expression.type === 'StringLiteral') return expression.value;
  throw file.mistake(expression, `${what} is not a string literal; write it out here.`);
}

function servedFunction(file: LuaFile, name: string, callback: Expression): FunctionDeclaration {
  const served = nameOf(callback.type === 'CallExpression' ? callback.arguments[0] : callback);
  const found = file.statements.filter(
    (statement) =>
      statement.type === 'FunctionDeclaration' && statement.isLocal && nameOf(statement.identifier) === served,
  );
  const [declared, second] = found;
  if (second)
    throw file.mistake(second, `\`${served}\` is declared twice and ${name} is registered with it; rename one.`);
  if (declared?.type === 'FunctionDeclaration') return declared;
  const wanted = 'the name of a top-level `local function`, or a call with such a name as its first argument';
  throw file.mistake(callback, `can't see which function ${name} calls; wanted ${wanted}.`);
}

/** Whole numbers at the end of the call that makes the callback: the fewest arguments and, unless left out, the most. */
function limitsOf(file: LuaFile, call: CallExpression): Registration['limits'] {
  const numbers: number[] = [];
  for (const argument of call.arguments.toReversed()) {
    if (argument.type !== 'NumericLiteral') break;
    numbers.unshift(argument.value);
  }
  const [fewest, most] = numbers;
  if (fewest === undefined) return undefined;
  if (numbers.length > 2) {
    throw file.mistake(call, 'more than two numbers end this call; wanted the fewest and the most arguments.');
  }
  return { line: call.loc?.start.line ?? 0, fewest, most };
}

/** Function names are global to a server and case does not count there: such twins crash it at the next load. */
function refuseTwins(file: LuaFile, registrations: Registration[]): void {
  const seen = new Map<string, Registration>();
  for (const registration of registrations) {
    const { name, line } = registration;
    const twin = seen.get(name.toLowerCase());
    if (twin?.name === name) throw file.mistake(line, `${name} is registered twice, first in line ${twin.line}.`);
    if (twin) {
      const why = 'Redis tells no case apart';
      throw file.mistake(
        line,
        `${name} and ${twin.name} of line ${twin.line} differ only by case; ${why}, rename one.`,
      );
    }
    seen.set(name.toLowerCase(), registration);
  }
}

import type { Constant } from './constants.ts';
import type { Argument, Library, LibraryFunction } from './library.ts';
import { camelCase } from './names.ts';
import { docComment, docTag, escaped } from './tsdoc.ts';
import type { Alias, Field, KeyClass, Value, ValueType } from './types.ts';

const WIDTH = 120;

/** The TypeScript for a library; `from` is the Lua file as seen from the file this goes into. */
export function writeTypeScript(library: Library, from: string): string {
  const { functions } = library;
  const lines = [
    `// Generated from ${from} by \`npm run generate\`. Do not edit: change the Lua and generate again.`,
    '// An argument that is left out is sent as the empty string where a later one is given.',
    ...head(library),
    ...library.constants.flatMap(writeConstant),
    ...library.aliases.flatMap(writeAlias),
    ...library.classes.flatMap(writeClass),
    ...functions.flatMap(writeFunction),
    ...writeRuntime(functions),
    '',
    ...docComment(['The whole library, byte for byte, as FUNCTION LOAD takes it.']),
    `export const LIBRARY_SOURCE: string = \`${templateText(library.source)}\`;`,
  ];
  return `${lines.join('\n')}\n`;
}

function head({ name, version, sha256, functions, errorCodes }: Library): string[] {
  return [
    '',
    ...docComment(['The name of the library on the server.']),
    `export const LIBRARY_NAME = ${quoted(name)};`,
    '',
    ...docComment(['The version of the library, major.minor.patch.']),
    `export const LIBRARY_VERSION = ${quoted(version)};`,
    '',
    ...docComment(['The SHA-256 of LIBRARY_SOURCE, in hexadecimal.']),
    `export const LIBRARY_SHA256 = ${quoted(sha256)};`,
    '',
    ...docComment([
      'The functions, their flags, the keys that they may touch, and the parts of their replies. A reply of one part is',
      'no array.',
    ]),
    'export const FUNCTIONS = [',
    ...functions.flatMap(({ name, flags, keys, replies }) => {
      const list = (names: string[]) => `[${names.map(quoted).join(', ')}]`;
      const named = (items: readonly { name: string }[]) => list(items.map((item) => item.name));
      const members = [`flags: ${list(flags)}`, `keys: ${named(keys?.type.fields ?? [])}`, `reply: ${named(replies)}`];
      return bracketed('{', [`name: ${quoted(name)}`, ...members], '},', '  ', ' ');
    }),
    '] as const;',
    '',
    ...docComment(["The codes of the library's own errors: the first words of its error replies."]),
    ...bracketed('export const ERROR_CODES = [', errorCodes.map(quoted), '] as const;', ''),
    '',
    ...docComment(["A code of the library's own errors."]),
    'export type ErrorCode = (typeof ERROR_CODES)[number];',
    '',
    ...docComment(['What the functions below need of a client. `Redis` and `Cluster` of ioredis have it.']),
    'export interface FunctionClient {',
    '  fcall(name: string, numkeys: number, ...args: string[]): Promise<unknown>;',
    '  fcall_ro(name: string, numkeys: number, ...args: string[]): Promise<unknown>;',
    '}',
  ];
}

function writeConstant({ name, value, text }: Constant): string[] {
  const literal = typeof value === 'string' ? quoted(value) : value;
  return ['', ...docComment([escaped(text)]), `export const ${name} = ${literal};`];
}

function writeAlias({ name, value, text }: Alias): string[] {
  return ['', ...(text ? docComment([escaped(text)]) : []), `export type ${name} = ${plainType(value)};`];
}

function writeClass({ name, parent, own, text }: KeyClass): string[] {
  return [
    '',
    ...(text ? docComment([escaped(text)]) : []),
    `export interface ${name}${parent ? ` extends ${parent.name}` : ''} {`,
    ...own.flatMap((field) => [...(field.text ? docComment([escaped(field.text)], '  ') : []), `  ${member(field)};`]),
    '}',
  ];
}

function writeFunction(fn: LibraryFunction): string[] {
  const parameters = ['client: FunctionClient'];
  if (fn.keys) parameters.push(`keys: ${fn.keys.type.name}`);
  const members = fn.args.map(member);
  if (fn.rest) members.push(`rest?: readonly ${typeName(fn.rest.type)}[] | undefined`);
  if (members.length > 0) {
    const allOptional = fn.args.every(({ optional }) => optional);
    parameters.push(`args: ${objectType(members)}${allOptional ? ' = {}' : ''}`);
  }
  return [
    '',
    ...docComment([...fn.doc.map(escaped), '', ...docTags(fn)]),
    ...bracketed(
      `export async function ${camelCase(fn.name)}(`,
      parameters,
      `): Promise<${replyType(fn.replies)}> {`,
      '',
    ),
    ...writeCall(fn),
    ...writeReply(fn),
    '}',
  ];
}

function docTags({ keys, args, rest, replies, errorCodes }: LibraryFunction): string[] {
  const codes = errorCodes.map((code) => `\`${code}\``).join(', ');
  const coded = codes ? `The server's error, whose first word is ${codes} or a code of Redis` : "The server's error";
  return [
    ...(keys ? docTag('@param keys', keys.text || keys.type.text) : []),
    ...args.flatMap((argument) => docTag(`@param args.${argument.name}`, explained(argument))),
    ...(rest ? docTag('@param args.rest', explained(rest)) : []),
    ...docReplies(replies),
    ...docTag('@throws', `${coded}; a TypeError where the reply is none that this function gives.`),
  ];
}

function docReplies(replies: Argument[]): string[] {
  const [only] = replies;
  if (replies.length === 1 && only) return docTag('@returns', explained(only));
  const [first, second] = replies.filter(explained);
  if (!first) return [];
  if (!second) return docTag(`@returns \`${first.name}\`:`, explained(first));
  return ['@returns', ...replies.flatMap((reply) => docTag(`- \`${reply.name}\`:`, explained(reply)))];
}

/** What an argument or a part of a reply is, and then what its type is: units stand there. */
function explained({ text, type }: Argument): string {
  return [text, type.alias?.text].filter(Boolean).join(' ');
}

/** Sends the call. An array is built only where something can be left out. */
function writeCall({ name, flags, keys, args, rest }: LibraryFunction): string[] {
  const command = `client.${flags.includes('no-writes') ? 'fcall_ro' : 'fcall'}(`;
  const fields = keys?.type.fields ?? [];
  const required = args.filter(({ optional }) => !optional).map(sentValue);
  const optional = args.filter((argument) => argument.optional);
  const firstOptional = fields.findIndex((field) => field.optional);
  if (firstOptional < 0 && optional.length === 0 && !rest) {
    const values = [quoted(name), String(fields.length), ...fields.map(({ name }) => `keys.${name}`), ...required];
    return bracketed(`const reply = await ${command}`, values, ');', '  ');
  }
  const always = fields.slice(0, firstOptional < 0 ? fields.length : firstOptional).map(({ name }) => `keys.${name}`);
  const lines = bracketed(
    'const sent: string[] = [',
    firstOptional < 0 ? [...always, ...required] : always,
    '];',
    '  ',
  );
  if (firstOptional >= 0) {
    lines.push(...fields.slice(firstOptional).map(pushKey));
    if (args.length > 0 || rest) lines.push('  const numkeys = sent.length;');
    if (required.length > 0) lines.push(...bracketed('sent.push(', required, ');', '  '));
  }
  for (const [at, argument] of optional.entries()) lines.push(...pushOptional(argument, optional.slice(at + 1), rest));
  if (rest) lines.push('  if (args.rest !== undefined) sent.push(...args.rest);');
  const counted = args.length > 0 || rest ? 'numkeys' : 'sent.length';
  const numkeys = firstOptional < 0 ? fields.length : counted;
  return [...lines, `  const reply = await ${command}${quoted(name)}, ${numkeys}, ...sent);`];
}

function pushKey({ name, optional }: Field): string {
  return `  ${optional ? `if (keys.${name} !== undefined) ` : ''}sent.push(keys.${name});`;
}

/** An argument that is left out is the empty string on the wire when another one follows it. */
function pushOptional(argument: Argument, later: Argument[], rest: Argument | undefined): string[] {
  const given = [argument, ...later].map(({ name }) => `args.${name} !== undefined`);
  if (rest) given.push('args.rest?.length');
  const value = sentValue(argument);
  const missing = argument.type.value.kind === 'integer' ? ` === undefined ? '' : ${value}` : " ?? ''";
  const sent = given.length === 1 ? value : `args.${argument.name}${missing}`;
  const [head, body] = [`  if (${given.join(' || ')})`, `sent.push(${sent});`];
  return head.length + body.length < WIDTH ? [`${head} ${body}`] : [`${head} {`, `    ${body}`, '  }'];
}

function sentValue({ name, type }: Argument): string {
  return type.value.kind === 'integer' ? `String(args.${name})` : `args.${name}`;
}

/** Checks the reply: another library may stand on the server under the same names. */
function writeReply({ name, replies }: LibraryFunction): string[] {
  const [only] = replies;
  if (replies.length === 1 && only) {
    const reply = { ...only, name: 'reply' };
    return [...checkPart(name, reply, 'its reply'), `  return ${returned(reply)};`];
  }
  const parts = replies.map((reply) => reply.name);
  return [
    `  const [${parts.join(', ')}] = partsOf(${quoted(name)}, reply, ${parts.length});`,
    ...replies.flatMap((reply) => checkPart(name, reply, reply.name)),
    ...bracketed('return {', replies.map(returnedMember), '};', '  ', ' '),
  ];
}

function returned({ name, optional }: Argument): string {
  return optional ? `isNil(${name}) ? null : ${name}` : name;
}

function returnedMember(reply: Argument): string {
  return reply.optional ? `${reply.name}: ${returned(reply)}` : reply.name;
}

function checkPart(fn: string, { name, type, optional }: Argument, what: string): string[] {
  const { value } = type;
  const tests = testsFor(name, value);
  if (optional) tests.push(`!isNil(${name})`);
  const wanted = quoted(`${plainType(value)}${optional ? ' | null' : ''} as ${what}`);
  const [head, body] = [`  if (${tests.join(' && ')})`, `throw unexpected(${quoted(fn)}, ${wanted});`];
  return head.length + body.length < WIDTH ? [`${head} ${body}`] : [`${head} {`, `    ${body}`, '  }'];
}

/** What is true of a value that is none of these, each to be joined by `&&`. */
function testsFor(name: string, value: Value): string[] {
  if (value.kind === 'literals') return value.literals.map((literal) => `${name} !== ${quoted(literal)}`);
  if (value.kind === 'strings') return [`!areStrings(${name})`];
  return [`typeof ${name} !== ${value.kind === 'integer' ? "'number'" : "'string'"}`];
}

function writeRuntime(functions: LibraryFunction[]): string[] {
  const several = functions.some(({ replies }) => replies.length > 1);
  const nil = functions.some(({ replies }) => replies.some(({ optional }) => optional));
  const lists = functions.some(({ replies }) => replies.some(({ type }) => type.value.kind === 'strings'));
  return [...(several ? PARTS_OF : []), ...(nil ? IS_NIL : []), ...(lists ? ARE_STRINGS : []), ...UNEXPECTED];
}

const PARTS_OF = `
function partsOf(name: string, reply: unknown, length: number): readonly unknown[] {
  if (Array.isArray(reply) && reply.length === length) return reply;
  throw unexpected(name, \`an array of \${length}\`);
}`.split('\n');

const IS_NIL = `
/** Lua's false stands for nil in an array; it may arrive as either. */
function isNil(value: unknown): value is null | false {
  return value === null || value === false;
}`.split('\n');

const ARE_STRINGS = `
function areStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}`.split('\n');

const UNEXPECTED = `
/** Names the function and what was wanted, never the reply: what is stored belongs in no message. */
function unexpected(name: string, wanted: string): TypeError {
  const library = \`\${LIBRARY_NAME} \${LIBRARY_VERSION}\`;
  return new TypeError(\`\${name} answered something else than \${wanted}; is \${library} loaded on this server?\`);
}`.split('\n');

function replyType(replies: Argument[]): string {
  const [only] = replies;
  const type = (reply: Argument) => `${typeName(reply.type)}${reply.optional ? ' | null' : ''}`;
  if (replies.length === 1 && only) return type(only);
  return `{ ${replies.map((reply) => `${reply.name}: ${type(reply)}`).join('; ')} }`;
}

/** The type of a parameter, which stands on a line of its own. */
function objectType(members: string[]): string {
  const line = `{ ${members.join('; ')} }`;
  return line.length + 12 <= WIDTH ? line : ['{', ...members.map((text) => `    ${text};`), '  }'].join('\n');
}

function member({ name, optional, type }: Argument): string {
  return optional ? `${name}?: ${typeName(type)} | undefined` : `${name}: ${typeName(type)}`;
}

function typeName({ alias, value }: ValueType): string {
  return alias?.name ?? plainType(value);
}

function plainType(value: Value): string {
  if (value.kind === 'literals') return value.literals.map(quoted).join(' | ');
  if (value.kind === 'strings') return 'string[]';
  return value.kind === 'integer' ? 'number' : 'string';
}

/** On one line where it fits, else an item a line. */
function bracketed(open: string, items: string[], close: string, indent: string, pad = ''): string[] {
  const line = `${indent}${open}${pad}${items.join(', ')}${pad}${close}`;
  if (line.length <= WIDTH) return [line];
  return [`${indent}${open}`, ...items.map((item) => `${indent}  ${item},`), `${indent}${close}`];
}

function quoted(text: string): string {
  if (text.includes("'") && !/["\\]/.test(text)) return `"${text}"`;
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}

/** A template literal turns every kind of line end into \n, so that a \r has to be written out. */
function templateText(text: string): string {
  return text.replace(/[\\`]|\$\{/g, '\\$&').replaceAll('\r', '\\r');
}

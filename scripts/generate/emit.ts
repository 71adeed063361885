import type { KeyClass, Library, LibraryFunction, Value } from './library.ts';
import { LUA } from './statements.ts';

const WIDTH = 120;

/** The TypeScript for the library, for Biome to format. */
export function writeTypeScript(library: Library): string {
  const { constants, aliases, classes, functions, source } = library;
  return `// Generated from ../${LUA} by \`npm run generate\`. Do not edit: change the Lua and generate again.
// An argument that is left out is sent as the empty string where a later one is given.
${[
  head(library),
  ...constants.flatMap(({ name, value, text }) => declared(text, `const ${name} = ${JSON.stringify(value)};`)),
  ...aliases.flatMap(({ name, type, text }) => declared(text, `type ${name} = ${type.plain};`)),
  ...classes.flatMap(writeClass),
  ...functions.flatMap(writeFunction),
].join('\n')}
${RUNTIME}
/** The whole library, byte for byte, as FUNCTION LOAD takes it. */
export const LIBRARY_SOURCE: string = \`${source.replace(/[\\`]|\$\{/g, '\\$&')}\`;
`;
}

function declared(text: string, declaration: string): string[] {
  return ['', ...docComment([text]), `export ${declaration}`];
}

function head({ name, version, functions, errorCodes }: Library): string {
  return `
/** The name of the library on the server. */
export const LIBRARY_NAME = ${JSON.stringify(name)};

/** The version of the library, major.minor.patch. */
export const LIBRARY_VERSION = ${JSON.stringify(version)};

/** The functions, their flags, the keys that they may touch, and the parts of a reply. One part is no array. */
export const FUNCTIONS = [
${functions.map(writeEntry).join('\n')}
] as const;

/** The codes of the library's own errors: the first words of its error replies. */
export const ERROR_CODES = ${JSON.stringify(errorCodes)} as const;

/** A code of the library's own errors. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** What the functions below need of a client. \`Redis\` and \`Cluster\` of ioredis have it. */
export interface FunctionClient {
  fcall(name: string, numkeys: number, ...args: string[]): Promise<unknown>;
  fcall_ro(name: string, numkeys: number, ...args: string[]): Promise<unknown>;
}`;
}

function writeEntry({ name, flags, keys, replies }: LibraryFunction): string {
  const namesOf = (values: Value[] = []) => values.map((value) => value.name);
  return `${JSON.stringify({ name, flags, keys: namesOf(keys?.type.fields), reply: namesOf(replies) })},`;
}

function writeClass({ name, parent, fields, text }: KeyClass): string[] {
  const own = fields.slice(parent?.fields.length ?? 0);
  return [
    ...declared(text, `interface ${name}${parent ? ` extends ${parent.name}` : ''} {`),
    ...own.flatMap((field) => [...docComment([field.text], '  '), `  ${member(field)};`]),
    '}',
  ];
}

function writeFunction(fn: LibraryFunction): string[] {
  const name = fn.name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const members = fn.args.map(member);
  if (fn.rest) members.push('rest?: readonly string[] | undefined');
  const parameters = ['client: FunctionClient'];
  if (fn.keys) parameters.push(`keys: ${fn.keys.type.name}`);
  if (members.length > 0) {
    parameters.push(`args: { ${members.join('; ')} }${fn.args.every(({ optional }) => optional) ? ' = {}' : ''}`);
  }
  return [
    '',
    ...docComment([...fn.doc, '', ...docTags(fn)]),
    `export async function ${name}(${parameters.join(', ')}): Promise<${replyType(fn.replies)}> {`,
    writeCall(fn),
    ...writeReply(fn),
    '}',
  ];
}

function docTags({ keys, args, rest, replies, errorCodes }: LibraryFunction): string[] {
  // What a value is, and then what its type is, which has the units.
  const explained = ({ text, type }: Value) => [text, type.text].filter(Boolean).join(' ');
  const named = (part: Value) => (replies.length > 1 ? `\`${part.name}\`: ${explained(part)}` : explained(part));
  const codes = errorCodes.map((code) => `\`${code}\``).join(', ');
  const thrown = `The server's error, whose first word is ${codes} or a code of Redis; a TypeError if the reply is not one of this function.`;
  return [
    ...(keys ? docTag('@param keys', keys.text || keys.type.text) : []),
    ...args.flatMap((argument) => docTag(`@param args.${argument.name}`, explained(argument))),
    ...(rest ? docTag('@param args.rest', explained(rest)) : []),
    ...docTag('@returns', replies.filter(explained).map(named).join(' ')),
    ...docTag('@throws', thrown),
  ];
}

function writeCall({ name, flags, keys, args, rest }: LibraryFunction): string {
  const sentKeys = (keys?.type.fields ?? []).map((field) => `keys.${field.name}`);
  const sentArgs = args.map((argument) => `args.${argument.name}`);
  if (rest) sentArgs.push('...(args.rest ?? [])');
  const command = flags.includes('no-writes') ? 'fcall_ro' : 'fcall';
  const sent = `sent([${sentKeys.join(', ')}], [${sentArgs.join(', ')}])`;
  return `  const reply = await client.${command}(${JSON.stringify(name)}, ...${sent});`;
}

/** Checks the reply: another library may stand on the server under the same names. */
function writeReply({ name, replies }: LibraryFunction): string[] {
  const [only] = replies;
  const value = (part: Value, as: string) => (part.optional ? `isNil(${as}) ? null : ${as}` : as);
  if (replies.length === 1 && only) {
    return [checkPart(name, { ...only, name: 'reply' }, 'its reply'), `  return ${value(only, 'reply')};`];
  }
  const members = replies.map((part) => (part.optional ? `${part.name}: ${value(part, part.name)}` : part.name));
  return [
    `  const [${replies.map((part) => part.name).join(', ')}] = partsOf(${JSON.stringify(name)}, reply, ${replies.length});`,
    ...replies.map((part) => checkPart(name, part, part.name)),
    `  return { ${members.join(', ')} };`,
  ];
}

function checkPart(fn: string, { name, type, optional }: Value, what: string): string {
  const tests = type.plain.match(/'[^']*'/g)?.map((text) => `${name} !== ${text}`) ?? [];
  if (type.plain === 'string[]') tests.push(`!areStrings(${name})`);
  else if (tests.length === 0) tests.push(`typeof ${name} !== '${type.plain}'`);
  if (optional) tests.push(`!isNil(${name})`);
  const wanted = JSON.stringify(`${type.plain}${optional ? ' | null' : ''} as ${what}`);
  return `  if (${tests.join(' && ')}) throw unexpected(${JSON.stringify(fn)}, ${wanted});`;
}

const RUNTIME = `
/** What FCALL takes behind the name of the function. */
function sent(keys: (string | undefined)[], args: (string | number | undefined)[]): [number, ...string[]] {
  const given = keys.filter((key) => key !== undefined);
  while (args.length > 0 && args.at(-1) === undefined) args.pop();
  return [given.length, ...given, ...args.map((argument) => String(argument ?? ''))];
}

function partsOf(name: string, reply: unknown, length: number): readonly unknown[] {
  if (Array.isArray(reply) && reply.length === length) return reply;
  throw unexpected(name, \`an array of \${length}\`);
}

/** Lua's false stands for nil in an array; it may arrive as either. */
function isNil(value: unknown): value is null | false {
  return value === null || value === false;
}

function areStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** Names the function and what was wanted, never the reply: what is stored belongs in no message. */
function unexpected(name: string, wanted: string): TypeError {
  const library = \`\${LIBRARY_NAME} \${LIBRARY_VERSION}\`;
  return new TypeError(\`\${name} answered something else than \${wanted}; is \${library} loaded on this server?\`);
}
`;

function replyType(replies: Value[]): string {
  const type = (reply: Value) => `${reply.type.name}${reply.optional ? ' | null' : ''}`;
  if (replies.length === 1) return replies.map(type).join('');
  return `{ ${replies.map((reply) => `${reply.name}: ${type(reply)}`).join('; ')} }`;
}

function member({ name, optional, type }: Value): string {
  return optional ? `${name}?: ${type.name} | undefined` : `${name}: ${type.name}`;
}

/** A documentation comment of these paragraphs, or nothing for the empty text; long lines are broken between words. */
function docComment(lines: string[], indent = ''): string[] {
  const [only = '', ...others] = lines.flatMap((line) => wrap(line, WIDTH - indent.length - 3));
  if (others.length > 0 || only.length + indent.length + 7 > WIDTH) {
    return [`${indent}/**`, ...[only, ...others].map((line) => `${indent} * ${line}`.trimEnd()), `${indent} */`];
  }
  return only === '' ? [] : [`${indent}/** ${only} */`];
}

/** A tag and its words, if there are any. The lines after the first are indented. */
function docTag(tag: string, text: string): string[] {
  return text === '' ? [] : wrap(`${tag} ${text}`, WIDTH - 6).map((line, at) => (at === 0 ? line : `  ${line}`));
}

function wrap(text: string, width: number): string[] {
  return text
    .replace(RegExp(`(.{1,${width}})( |$)`, 'g'), '$1\n')
    .trimEnd()
    .split('\n');
}

import { codesReached, lineAt, Mistake, readStatements, type Statement } from './statements.ts';

// Reads lua/conversation.lua. The annotations that it takes are in FORMS, CONSTANT and REGISTRATION; anything else is refused
// with its line. Text in the lines below a tag belongs to that tag. A parameter `...` is the argument `rest` in TypeScript. A
// constant without a docstring is the library's own. Error codes are the literals in `fail('CODE', …)`.

/** Everything that the TypeScript is written from. */
export interface Library {
  name: string;
  version: string;
  source: string;
  errorCodes: string[];
  constants: { name: string; value: number | string; text: string }[];
  aliases: { name: string; type: Type; text: string }[];
  classes: KeyClass[];
  functions: LibraryFunction[];
}

export interface Type {
  /** As TypeScript writes it: `State`, `number`. */
  name: string;
  /** Without its alias: `string`, `number`, `string[]`, `'a' | 'b'`. */
  plain: string;
  /** The words of its alias. */
  text: string;
}

/** A key, an argument, or a part of a reply. */
export interface Value {
  name: string;
  optional: boolean;
  type: Type;
  text: string;
}

export interface KeyClass {
  name: string;
  parent: KeyClass | undefined;
  text: string;
  /** The parent's fields, then its own. */
  fields: Value[];
}

export interface LibraryFunction {
  name: string;
  flags: string[];
  errorCodes: string[];
  doc: string[];
  keys: { type: KeyClass; text: string } | undefined;
  /** Required ones first. */
  args: Value[];
  rest: Value | undefined;
  replies: Value[];
}

/** What stands above a function. */
type Signature = Omit<LibraryFunction, 'name' | 'flags' | 'errorCodes'>;

/** Lines that begin with three dashes, without another line between them. */
interface Block {
  doc: string[];
  tags: { line: number; tag: string; text: string }[];
  /** The line below them, and its number. */
  below: string;
  line: number;
}

const TYPE = String.raw`(?<type>'[^'\\]*'(?:\s*\|\s*'[^'\\]*')*|[A-Za-z]\w*(?:\[\])?)`;
const TEXT = String.raw`(?:\s+(?<text>.*))?`;
const FORMS: Record<string, [form: RegExp, wanted: string] | undefined> = {
  alias: [RegExp(`^(?<name>[A-Z]\\w*)\\s+${TYPE}${TEXT}$`), '---@alias Name type what it is'],
  class: [RegExp(`^(?<name>[A-Z]\\w*)(?:\\s*:\\s*(?<parent>\\w+))?${TEXT}$`), '---@class Name: Parent what it is'],
  field: [
    RegExp(`^(?<name>[a-z]\\w*)(?<optional>\\?)?\\s+(?<type>string)${TEXT}$`),
    '---@field name? string what it is',
  ],
  param: [
    RegExp(`^(?<name>[a-z]\\w*|\\.\\.\\.(?=\\s+string(?:\\s|$)))(?<optional>\\?)?\\s+${TYPE}${TEXT}$`),
    '---@param name? type what it is` or `---@param ... string what they are',
  ],
  return: [
    RegExp(`^${TYPE}(?<optional>\\?)?(?:\\s+(?:#|(?<name>[a-z]\\w*))${TEXT})?$`),
    '---@return type? name what it is',
  ],
};
const CONSTANT = /^local ([A-Z][A-Z0-9_]*) = (?:(\d+)|'((?:[^'\\]|\\[\\'])*)')$/;
const REGISTRATION =
  /^redis\.register_function\(\{\s*function_name = '(conv_[a-z_]+)',\s*callback = \w+\((\w+)([^()]*)\)(?:,\s*flags = \{ ('[a-z-]+'(?:, '[a-z-]+')*) \})?,?\s*\}\)$/;

export function readLibrary(source: string): Library {
  const statements = readStatements(source);
  const library: Library = {
    name: /^#!lua name=(\w+)\n/.exec(source)?.[1] ?? refuse(1, 'the library has no name; wanted `#!lua name=…`.'),
    version:
      /^local VERSION = '(\d+\.\d+\.\d+)'$/m.exec(source)?.[1] ??
      refuse(1, "the library has no version; wanted `local VERSION = '1.0.0'` in a line of its own."),
    source,
    errorCodes: [...new Set(statements.flatMap(({ codes }) => codes))].sort(),
    constants: [],
    aliases: [],
    classes: [],
    functions: [],
  };
  const signatures = new Map<string, Signature>();
  for (const block of blocksOf(source)) {
    const [, fn, parameters = ''] = /^local function (\w+)\((.*)\)$/.exec(block.below) ?? [];
    if (block.tags.some(({ tag }) => tag === 'alias' || tag === 'class')) readTypes(library, block);
    else if (fn) signatures.set(fn, readSignature(library, block, `${fn}(${parameters})`, parameters));
    else library.constants.push(readConstant(block));
  }
  for (const statement of statements.filter(({ code }) => code.includes('register_function'))) {
    const registration = readRegistration(statement, signatures);
    library.functions.push({ ...registration, errorCodes: codesReached(statements, statement.uses) });
  }
  return library;
}

function refuse(line: number, message: string): never {
  throw new Mistake(line, message);
}

function* blocksOf(source: string): Generator<Block> {
  const stray = /(?<!^)---\s*@|^---\s+@/m.exec(source);
  if (stray) refuse(lineAt(source, stray.index), 'an annotation has `---@` at the very start of its line.');
  // Four dashes draw a line.
  for (const { 0: text, 1: above = '', 2: below = '', index } of source.matchAll(/((?:^---(?!-).*\n)+)(.*)/gm)) {
    const block: Block = { doc: [], tags: [], below, line: lineAt(source, index + text.length) };
    let line = lineAt(source, index);
    for (const part of above.trimEnd().split(/\n(?=---@)/)) {
      const words = part.split('\n').map((words) => words.slice(3).replace(/^ /, '').trimEnd());
      const [, tag, rest = ''] = /^@(\w*)\s*(.*)$/.exec(words.join(' ')) ?? [];
      if (tag === undefined) block.doc = words;
      else block.tags.push({ line, tag, text: rest.trim() });
      line += words.length;
    }
    yield block;
  }
}

/** What a tag says. It has to be one of those that fit where it stands. */
function readTag({ line, tag, text }: Block['tags'][number], ...fitting: string[]) {
  const known = fitting.includes(tag) ? FORMS[tag] : undefined;
  if (!known) refuse(line, `@${tag} does not fit here; wanted ${fitting.map((name) => `@${name}`).join(' or ')}.`);
  const [form, wanted] = known;
  const said = form.exec(text)?.groups ?? refuse(line, `can't read this @${tag}; wanted \`${wanted}\`.`);
  const { name = '', type = '', optional, parent, text: words = '' } = said;
  return { line, tag, name, type, optional: optional !== undefined, parent, text: words };
}

function readTypes({ aliases, classes }: Library, { doc, tags }: Block): void {
  let open: KeyClass | undefined;
  for (const [at, tag] of tags.entries()) {
    const { line, name, ...said } = readTag(tag, 'alias', 'class', 'field');
    const type = tag.tag === 'class' ? undefined : typeOf(aliases, said.type, line);
    const text = [...(at === 0 ? doc : []), said.text].join(' ').trim();
    if (tag.tag === 'field' && type) {
      if (!open) refuse(line, '@field without a @class above it; remove the empty line between them.');
      open.fields.push({ name, optional: said.optional, type, text });
      continue;
    }
    if ([...aliases, ...classes].some((other) => other.name === name)) refuse(line, `${name} is defined twice.`);
    const parent = classes.find((other) => other.name === said.parent);
    if (said.parent && !parent) refuse(line, `${name} extends ${said.parent}, which no @class above it defines.`);
    open = type ? undefined : { name, parent, text, fields: [...(parent?.fields ?? [])] };
    if (type) aliases.push({ name, type, text });
    else if (open) classes.push(open);
  }
}

function typeOf(aliases: Library['aliases'], written: string, line: number, lists = false): Type {
  const alias = aliases.find(({ name }) => name === written);
  if (alias) return { ...alias.type, name: alias.name, text: alias.text };
  const plain: Record<string, string> = { string: 'string', integer: 'number', 'string[]': lists ? 'string[]' : '' };
  const name = written.match(/'[^']*'/g)?.join(' | ') ?? plain[written];
  if (name) return { name, plain: name, text: '' };
  const wanted = "string, integer, literals such as 'a'|'b', or the name of an @alias above";
  return refuse(line, `${written} can't be the type of this; wanted ${wanted}.`);
}

/** `--- What it is.` above `local NAME = literal`. */
function readConstant({ line, doc, tags, below }: Block): Library['constants'][number] {
  if (tags.length > 0) refuse(line, 'an annotation of nothing; put it straight above a top-level `local function`.');
  const [, name, number, text = ''] = CONSTANT.exec(below) ?? [];
  if (name) return { name, value: number ? Number(number) : text.replace(/\\(.)/g, '$1'), text: doc.join(' ') };
  const wanted = "`local NAME = 12` or `local NAME = 'text'` straight below it, or a comment of two dashes";
  return refuse(line, `what this docstring is about is not understood; wanted ${wanted}.`);
}

function readSignature(library: Library, { line, doc, tags }: Block, fn: string, parameters: string): Signature {
  const said = tags.map((tag) => readTag(tag, 'param', 'return'));
  const params = said.filter(({ tag }) => tag === 'param');
  const returns = said.filter(({ tag }) => tag === 'return');
  const names = params.map(({ name }) => name).join(', ');
  if (tags.length > 0 && names !== parameters) {
    refuse(line, `the @param of \`${fn}\` are for (${names}); wanted one for each parameter, in their order.`);
  }
  if (tags.length > 0 && (doc.length === 0 || returns.length === 0)) {
    refuse(line, `\`${fn}\` lacks a docstring or @return; wanted \`--- What it does.\` first and @return last.`);
  }
  const [first] = params;
  const type = library.classes.find(({ name }) => name === first?.type);
  const keys = first && type && { type, text: first.text };
  const args = params.slice(keys ? 1 : 0).map((arg) => ({ ...arg, type: typeOf(library.aliases, arg.type, arg.line) }));
  const rest = args.at(-1)?.name === '...' ? args.pop() : undefined;
  for (const [at, { line, name, optional }] of args.entries()) {
    if (!optional && args[at - 1]?.optional) refuse(line, `${name} follows one with a ?; put what is required first.`);
  }
  const only = returns.length === 1;
  const replies = returns.map((part) => {
    if (!only && part.name === '') refuse(part.line, 'one of several @return has no name; wanted `@return type name`.');
    return { ...part, type: typeOf(library.aliases, part.type, part.line, only) };
  });
  return { doc, keys, args, rest, replies };
}

function readRegistration({ line, code }: Statement, signatures: Map<string, Signature>) {
  const [, name, body = '', others = '', flags = ''] = REGISTRATION.exec(code.trim()) ?? [];
  if (name === undefined) {
    const wanted = "function_name = 'conv_…', callback = handler(body, …)[, flags = { '…' }]";
    const at = line + lineAt(code, code.lastIndexOf('redis.register_function')) - 1;
    refuse(at, `can't read this registration; wanted \`redis.register_function({ ${wanted} })\` at the top level.`);
  }
  const signature = signatures.get(body);
  if (!signature?.replies.length) refuse(line, `\`${body}\` has no annotations; put them straight above its function.`);
  // Numbers at the end are the fewest and the most arguments; without the second there is no limit.
  const [, fewest, most = 'any number of'] = /, (\d+)(?:, (\d+))?$/.exec(others) ?? [];
  const { args, rest } = signature;
  const annotated = `${args.filter(({ optional }) => !optional).length} to ${rest ? 'any number of' : args.length}`;
  if (fewest !== undefined && `${fewest} to ${most}` !== annotated) {
    refuse(line, `${name} takes ${fewest} to ${most} arguments here and ${annotated} in its annotations.`);
  }
  return { name, flags: flags.match(/[a-z-]+/g) ?? [], ...signature };
}

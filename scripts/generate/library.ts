import { createHash } from 'node:crypto';
import type { FunctionDeclaration } from 'luaparse';
import { type Annotations, type FunctionBlock, readAnnotations, type Tag } from './annotations.ts';
import { type Constant, readConstants } from './constants.ts';
import { readErrorCodes } from './errors.ts';
import { type LuaFile, lineOf, nameOf, parseLua } from './lua.ts';
import { refuseTakenNames } from './names.ts';
import { type Registration, readRegistrations } from './registrations.ts';
import { type Alias, type KeyClass, readTypes, type Types, type ValueType } from './types.ts';

/** Everything that the TypeScript is written from. */
export interface Library {
  name: string;
  version: string;
  source: string;
  sha256: string;
  errorCodes: string[];
  constants: Constant[];
  aliases: Alias[];
  classes: KeyClass[];
  functions: LibraryFunction[];
}

export interface LibraryFunction {
  name: string;
  line: number;
  flags: string[];
  doc: string[];
  keys: { type: KeyClass; text: string } | undefined;
  /** Required ones first. */
  args: Argument[];
  rest: Argument | undefined;
  replies: Argument[];
  errorCodes: string[];
}

/** An argument or a part of a reply. */
export interface Argument {
  name: string;
  optional: boolean;
  type: ValueType;
  text: string;
}

export function readLibrary(bytes: Uint8Array, path: string): Library {
  const file = parseLua(bytes, path);
  const name = readName(file);
  const version = readVersion(file);
  const annotations = readAnnotations(file);
  const types = readTypes(file, annotations);
  const codes = readErrorCodes(file);
  const blocks = attach(file, annotations);
  for (const [declared, block] of blocks) refuseOtherParameters(file, declared, block);
  const functions = readRegistrations(file).map((registration) => {
    const signature = readSignature(file, registration, blocks.get(registration.serves), types);
    return { ...signature, errorCodes: codes.reachedFrom(registration.callback) };
  });
  types.refuseUnused();
  const { aliases, classes } = types;
  const constants = readConstants(file, annotations);
  refuseTakenNames(file, { constants, aliases, classes, functions });
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { name, version, source: file.source, sha256, errorCodes: codes.all, constants, aliases, classes, functions };
}

function readName(file: LuaFile): string {
  const [, name] = /^#!lua name=([A-Za-z0-9_]+)$/.exec(file.source.split(/\r?\n/, 1)[0] ?? '') ?? [];
  if (name === undefined) throw file.mistake(1, 'the library has no name; wanted `#!lua name=…` as the first line.');
  return name;
}

function readVersion(file: LuaFile): string {
  for (const statement of file.statements) {
    if (statement.type !== 'LocalStatement' || statement.variables[0]?.name !== 'VERSION') continue;
    const [version] = statement.init;
    if (version?.type === 'StringLiteral' && /^\d+\.\d+\.\d+$/.test(version.value)) return version.value;
    throw file.mistake(statement, "VERSION is not a version; wanted a literal such as '1.0.0'.");
  }
  throw file.mistake(1, "the library has no version; wanted `local VERSION = '1.0.0'` at the top level.");
}

/** A comment belongs to the top-level function that begins on the next line. */
function attach(file: LuaFile, annotations: Annotations): Map<FunctionDeclaration, FunctionBlock> {
  const functions = new Map<number, FunctionDeclaration>();
  for (const statement of file.statements) {
    if (statement.type === 'FunctionDeclaration') functions.set(lineOf(statement), statement);
  }
  const attached = new Map<FunctionDeclaration, FunctionBlock>();
  for (const block of annotations.blocks) {
    const declared = functions.get(block.lastLine + 1);
    if (declared) attached.set(declared, block);
    else if (block.params.length + block.returns.length > 0) {
      throw file.mistake(
        block.line,
        'an annotation of no function; put it straight above a top-level `local function`.',
      );
    }
  }
  return attached;
}

function refuseOtherParameters(file: LuaFile, declared: FunctionDeclaration, block: FunctionBlock): void {
  const names = declared.parameters.map((parameter) => (parameter.type === 'Identifier' ? parameter.name : '...'));
  const name = nameOf(declared.identifier);
  for (const [at, tag] of block.params.entries()) {
    if (tag.name === names[at]) continue;
    const wanted = names[at] === undefined ? 'no further @param' : `@param ${names[at]} here`;
    throw file.mistake(tag.line, `@param ${tag.name} does not fit \`${name}(${names.join(', ')})\`; wanted ${wanted}.`);
  }
  const missing = names[block.params.length];
  // A function that is not registered may do with words.
  if (missing === undefined || block.params.length + block.returns.length === 0) return;
  throw file.mistake(declared, `\`${name}\` has no @param for ${missing}; annotate every parameter, in their order.`);
}

type Signature = Omit<LibraryFunction, 'errorCodes'>;

function readSignature(
  file: LuaFile,
  registration: Registration,
  block: FunctionBlock | undefined,
  types: Types,
): Signature {
  const { name, line, flags, serves } = registration;
  if (!block) {
    const wanted = 'a docstring, @param for each parameter and @return straight above it';
    throw file.mistake(
      serves,
      `\`${nameOf(serves.identifier)}\`, registered as ${name}, is not annotated; wanted ${wanted}.`,
    );
  }
  if (block.doc.length === 0) {
    const wanted = '`--- What it does.` above its first tag';
    throw file.mistake(block.line, `\`${nameOf(serves.identifier)}\` has no docstring; wanted ${wanted}.`);
  }
  const [first] = block.params;
  const keyClass = first && types.keys(first.type);
  if (first?.optional && keyClass) {
    throw file.mistake(
      first.line,
      `the keys of ${name} can't be left out; put the ? behind the fields of ${keyClass.name}.`,
    );
  }
  const keys = first && keyClass && { type: keyClass, text: first.text };
  const args = readArguments(file, block.params.slice(keys ? 1 : 0), types);
  const rest = args.at(-1)?.name === '...' ? args.pop() : undefined;
  refuseTakenName(file, block, args, rest);
  refuseOtherArity(file, registration, args, rest);
  const replies = readReplies(file, serves, block, types);
  return { name, line, flags, doc: block.doc, keys, args, rest, replies };
}

function readArguments(file: LuaFile, tags: Tag[], types: Types): Argument[] {
  let optional: string | undefined;
  return tags.map((tag) => {
    const type = types.value(tag.type);
    if (tag.name === '...') {
      if (tag.optional) throw file.mistake(tag.line, '`...` may be empty anyway; remove the ?.');
      if (type.value.kind !== 'string') throw file.mistake(tag.line, '`...` can only be of strings; wanted string.');
    } else if (tag.optional) optional = tag.name;
    else if (optional !== undefined) {
      throw file.mistake(tag.line, `${tag.name} is required but follows ${optional}?; put what is required first.`);
    }
    return { name: tag.name, optional: tag.optional, type, text: tag.text };
  });
}

/** In TypeScript the arguments are members of one object, and those of `...` are its member `rest`. */
function refuseTakenName(file: LuaFile, block: FunctionBlock, args: Argument[], rest: Argument | undefined): void {
  const names = [...args.map(({ name }) => name), ...(rest ? ['rest'] : [])];
  const twin = names.find((name, at) => names.indexOf(name) !== at);
  if (twin !== undefined) throw file.mistake(block.line, `two arguments are called ${twin}; rename one.`);
}

function refuseOtherArity(
  file: LuaFile,
  { name, line, direct, limits }: Registration,
  args: Argument[],
  rest: Argument | undefined,
): void {
  if (direct && args.length + (rest ? 1 : 0) > 0) {
    const wanted = 'a callback that takes them apart, such as `served(fn, …)`';
    throw file.mistake(
      line,
      `Redis calls ${name} itself, with a table of keys and one of arguments; wanted ${wanted}.`,
    );
  }
  if (!limits) return;
  const fewest = args.filter(({ optional }) => !optional).length;
  const most = rest ? undefined : args.length;
  if (limits.fewest === fewest && limits.most === most) return;
  const told = `${limits.fewest} to ${limits.most ?? 'any number of'}`;
  const annotated = `${fewest} to ${most ?? 'any number of'}`;
  throw file.mistake(
    limits.line,
    `${name} is registered with ${told} arguments, but its annotations say ${annotated}; make them agree.`,
  );
}

function readReplies(file: LuaFile, serves: FunctionDeclaration, block: FunctionBlock, types: Types): Argument[] {
  const replies = block.returns.map((tag, _, { length }) => ({
    name: tag.name,
    optional: tag.optional,
    type: length === 1 ? types.reply(tag.type) : types.value(tag.type),
    text: tag.text,
  }));
  if (replies.length === 0) {
    throw file.mistake(
      block.line,
      `\`${nameOf(serves.identifier)}\` has no @return; wanted one for each part of its reply.`,
    );
  }
  for (const [at, { name }] of replies.entries()) {
    if (replies.length === 1) break;
    const line = block.returns[at]?.line ?? block.line;
    if (name === '') throw file.mistake(line, 'one of several @return has no name; wanted `---@return type name`.');
    if (replies.findIndex((reply) => reply.name === name) < at) {
      throw file.mistake(line, `two @return are called ${name}; rename one.`);
    }
  }
  return replies;
}

import type { Comment, LuaFile } from './lua.ts';

// The comments that begin with three dashes, read into tags. Which types there are and whether a tag fits its
// function is not known here.

/** A type as it is written: `State`, `'claimed'|'held'`. */
export interface TypeText {
  text: string;
  optional: boolean;
  line: number;
}

export interface Tag {
  line: number;
  name: string;
  optional: boolean;
  type: TypeText;
  text: string;
}

export interface AliasTag {
  line: number;
  name: string;
  type: TypeText;
  text: string;
}

export interface ClassTag {
  line: number;
  name: string;
  parent: string | undefined;
  text: string;
  fields: Tag[];
}

/** What stands straight above a function. */
export interface FunctionBlock {
  line: number;
  lastLine: number;
  doc: string[];
  params: Tag[];
  returns: Tag[];
}

export interface Annotations {
  aliases: AliasTag[];
  classes: ClassTag[];
  blocks: FunctionBlock[];
}

interface RawTag {
  line: number;
  tag: string;
  text: string;
}

const NAME = /^[A-Za-z_]\w*$/;
const TYPE_NAME = /^[A-Z][A-Za-z0-9]*$/;

export function readAnnotations(file: LuaFile): Annotations {
  const found: Annotations = { aliases: [], classes: [], blocks: [] };
  for (const comments of blocksOf(file)) {
    const { doc, tags } = rawTags(comments);
    const line = comments[0]?.line ?? 0;
    const block: FunctionBlock = { line, lastLine: line + comments.length - 1, doc, params: [], returns: [] };
    for (const raw of tags) readTag(file, raw, block, found, raw === tags[0] ? doc : []);
    const declares = tags.some(({ tag }) => tag === 'alias' || tag === 'class');
    if (declares && block.params.length + block.returns.length > 0) {
      throw file.mistake(line, 'a type and a function are annotated in one comment; put an empty line between them.');
    }
    if (!declares) found.blocks.push(block);
  }
  return found;
}

/** Runs of `---` lines without another line between them. */
function blocksOf(file: LuaFile): Comment[][] {
  const blocks: Comment[][] = [];
  let last: Comment | undefined;
  for (const comment of file.comments) {
    // Four dashes draw a line; they say nothing.
    if (!comment.text.startsWith('---') || comment.text.startsWith('----')) continue;
    if (comment.trailing) {
      if (!/^---\s*@/.test(comment.text)) continue;
      throw file.mistake(comment.line, 'an annotation behind code; put it on a line of its own.');
    }
    if (last?.line === comment.line - 1) blocks.at(-1)?.push(comment);
    else blocks.push([comment]);
    last = comment;
  }
  return blocks;
}

/** Text before the first tag is the docstring, text after a tag goes on with that tag. */
function rawTags(comments: Comment[]): { doc: string[]; tags: RawTag[] } {
  const doc: string[] = [];
  const tags: RawTag[] = [];
  for (const { line, text } of comments) {
    const [, tag, rest] = /^---\s*@(\S*)\s*(.*)$/.exec(text) ?? [];
    const last = tags.at(-1);
    const words = text.slice(3).replace(/^ /, '').trimEnd();
    if (tag !== undefined) tags.push({ line, tag, text: (rest ?? '').trim() });
    else if (last) last.text = `${last.text} ${words.trim()}`.trim();
    else doc.push(words);
  }
  return { doc: trimmed(doc), tags };
}

function trimmed(lines: string[]): string[] {
  const first = lines.findIndex((line) => line !== '');
  return first < 0 ? [] : lines.slice(first, lines.findLastIndex((line) => line !== '') + 1);
}

function readTag(file: LuaFile, raw: RawTag, block: FunctionBlock, found: Annotations, doc: string[]): void {
  switch (raw.tag) {
    case 'alias':
      found.aliases.push(readAlias(file, raw, doc));
      return;
    case 'class':
      found.classes.push(readClass(file, raw, doc));
      return;
    case 'field': {
      const owner = found.classes.at(-1);
      if (!owner || owner.line < block.line) throw file.mistake(raw.line, '@field without a @class above it.');
      owner.fields.push(readNamed(file, raw, '---@field name string what it is'));
      return;
    }
    case 'param':
      block.params.push(readNamed(file, raw, '---@param name type what it is'));
      return;
    case 'return':
      block.returns.push(readReturn(file, raw));
      return;
    default:
      throw file.mistake(raw.line, `unknown tag @${raw.tag}; wanted @alias, @class, @field, @param or @return.`);
  }
}

function readAlias(file: LuaFile, { line, text }: RawTag, doc: string[]): AliasTag {
  const [name = '', rest = ''] = wordAndRest(text);
  const [type, words] = readType(rest, line);
  if (!TYPE_NAME.test(name) || !type || type.optional) {
    throw file.mistake(line, "can't read this @alias; wanted `---@alias Name type what it is`, Name in CamelCase.");
  }
  return { line, name, type, text: [...doc, words].join(' ').trim() };
}

function readClass(file: LuaFile, { line, text }: RawTag, doc: string[]): ClassTag {
  const [, name, parent, words = ''] = /^(\w+)(?:\s*:\s*(\w+))?(?:\s+(.*))?$/.exec(text) ?? [];
  if (!name || !TYPE_NAME.test(name)) {
    const wanted = '`---@class Name what it is` or `---@class Name: Parent what it is`, Name in CamelCase';
    throw file.mistake(line, `can't read this @class; wanted ${wanted}.`);
  }
  return { line, name, parent, text: [...doc, words].join(' ').trim(), fields: [] };
}

function readNamed(file: LuaFile, { line, tag, text }: RawTag, wanted: string): Tag {
  const [written = '', rest = ''] = wordAndRest(text);
  const optional = written.endsWith('?');
  const name = optional ? written.slice(0, -1) : written;
  const [type, words] = readType(rest, line);
  if (!(NAME.test(name) || (name === '...' && tag === 'param')) || !type) {
    throw file.mistake(line, `can't read this @${tag}; wanted \`${wanted}\`.`);
  }
  if (type.optional) {
    throw file.mistake(line, `\`${name}\` has its ? behind the type; wanted \`---@${tag} ${name}? ${type.text}\`.`);
  }
  return { line, name, optional, type, text: words };
}

function readReturn(file: LuaFile, { line, text }: RawTag): Tag {
  const [type, rest] = readType(text, line);
  // As in LuaCATS, `#` sets off words that no name goes before.
  const [name = '', words = ''] = rest.startsWith('#') ? ['', rest.slice(1)] : wordAndRest(rest);
  if (!type || (name !== '' && !NAME.test(name))) {
    throw file.mistake(line, "can't read this @return; wanted `---@return type name what it is`.");
  }
  return { line, name, optional: type.optional, type, text: words.trim() };
}

/** Takes a type off the front of a text. Literals may have spaces around the bars between them. */
function readType(text: string, line: number): [TypeText | undefined, string] {
  const [, type, optional, rest = ''] =
    /^((?:'[^']*'|"[^"]*")(?:\s*\|\s*(?:'[^']*'|"[^"]*"))*)(\?)?(?:\s+(.*))?$/.exec(text) ??
    /^(\S+?)(\?)?(?:\s+(.*))?$/.exec(text) ??
    [];
  return [type === undefined ? undefined : { text: type, optional: optional !== undefined, line }, rest];
}

function wordAndRest(text: string): string[] {
  return /^(\S*)\s*(.*)$/.exec(text)?.slice(1) ?? [];
}

import type { AliasTag, Annotations, ClassTag, Tag, TypeText } from './annotations.ts';
import type { LuaFile } from './lua.ts';

/** What a value on the wire can be. */
export type Value = { kind: 'string' | 'integer' | 'strings' } | { kind: 'literals'; literals: string[] };

export interface Alias {
  name: string;
  line: number;
  value: Value;
  text: string;
}

/** The type of an argument or of a part of a reply. */
export interface ValueType {
  value: Value;
  alias?: Alias;
}

export interface Field {
  name: string;
  optional: boolean;
  text: string;
  type: ValueType;
}

/** The keys of a call, in the order they are sent. */
export interface KeyClass {
  name: string;
  line: number;
  parent: KeyClass | undefined;
  own: Field[];
  /** The parent's fields, then its own. */
  fields: Field[];
  text: string;
}

export interface Types {
  aliases: Alias[];
  classes: KeyClass[];
  /** A value's type; a class or an unknown name is a mistake. */
  value(type: TypeText): ValueType;
  /** The type of a reply of one part, which may be a list. */
  reply(type: TypeText): ValueType;
  keys(type: TypeText): KeyClass | undefined;
  /** To be called when everything was looked up once. */
  refuseUnused(): void;
}

const WANTED = "string, integer, literals such as 'a'|'b', or a name that an @alias gives to one of these";
/** Only a whole reply can be a list: in an array of parts it would be nested, and no argument is one. */
const LIST = 'string[]';

export function readTypes(file: LuaFile, annotations: Annotations): Types {
  const aliases = new Map<string, Alias>();
  const classes = new Map<string, KeyClass>();
  const used = new Set<string>();

  const refuseSecond = (tag: AliasTag | ClassTag) => {
    const first = aliases.get(tag.name) ?? classes.get(tag.name);
    if (first) throw file.mistake(tag.line, `${tag.name} is defined twice, first in line ${first.line}; rename one.`);
  };
  const value = (type: TypeText): ValueType => {
    const alias = aliases.get(type.text);
    if (alias) {
      used.add(alias.name);
      return { value: alias.value, alias };
    }
    if (classes.has(type.text)) {
      const wanted = 'only the first parameter of a function can be one, its keys';
      throw file.mistake(type.line, `the class ${type.text} is no value; ${wanted}.`);
    }
    return { value: plainValue(file, type) };
  };

  for (const tag of annotations.aliases) {
    refuseSecond(tag);
    aliases.set(tag.name, { name: tag.name, line: tag.line, value: plainValue(file, tag.type), text: tag.text });
  }
  for (const tag of annotations.classes) {
    refuseSecond(tag);
    const parent = tag.parent === undefined ? undefined : classes.get(tag.parent);
    if (tag.parent !== undefined && !parent) {
      throw file.mistake(tag.line, `${tag.name} extends ${tag.parent}, which no @class above it defines.`);
    }
    if (parent) used.add(parent.name);
    const own = tag.fields.map((field) => keyField(file, field, value));
    const fields = [...(parent?.fields ?? []), ...own];
    refuseTwins(file, tag, fields);
    classes.set(tag.name, { name: tag.name, line: tag.line, parent, own, fields, text: tag.text });
  }

  return {
    aliases: [...aliases.values()],
    classes: [...classes.values()],
    value,
    reply: (type) => (type.text === LIST ? { value: { kind: 'strings' } } : value(type)),
    keys(type) {
      const found = classes.get(type.text);
      if (found) used.add(found.name);
      return found;
    },
    refuseUnused() {
      for (const { name, line } of [...aliases.values(), ...classes.values()]) {
        if (!used.has(name)) throw file.mistake(line, `${name} is used nowhere; use it or remove it.`);
      }
    },
  };
}

function plainValue(file: LuaFile, { text, line }: TypeText): Value {
  if (text === 'string' || text === 'integer') return { kind: text };
  if (/^['"]/.test(text) && /['"]$/.test(text)) {
    const literals = [...text.matchAll(/'([^']*)'|"([^"]*)"/g)].map(([, single, double]) => single ?? double ?? '');
    const twice = literals.find((literal, at) => literals.indexOf(literal) !== at);
    if (twice !== undefined)
      throw file.mistake(line, `the literal '${twice}' stands twice in one type; once is enough.`);
    return { kind: 'literals', literals };
  }
  throw file.mistake(line, `unknown type ${text}; wanted ${WANTED}.`);
}

function keyField(file: LuaFile, tag: Tag, value: Types['value']): Field {
  const type = value(tag.type);
  if (type.value.kind === 'string') return { name: tag.name, optional: tag.optional, text: tag.text, type };
  throw file.mistake(tag.line, `the field ${tag.name} is ${tag.type.text}, but a key is a string; wanted string.`);
}

function refuseTwins(file: LuaFile, tag: ClassTag, fields: Field[]): void {
  const names = fields.map(({ name }) => name);
  const twin = names.find((name, at) => names.indexOf(name) !== at);
  if (twin) throw file.mistake(tag.line, `${tag.name} has the field ${twin} twice; rename one.`);
  if (names.length === 0) throw file.mistake(tag.line, `${tag.name} has no @field; wanted one for each key.`);
}

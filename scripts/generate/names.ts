import type { LuaFile } from './lua.ts';

/** What every generated file says at its top level, or needs from outside. */
const EXPORTED = [
  ...['LIBRARY_NAME', 'LIBRARY_VERSION', 'LIBRARY_SHA256', 'LIBRARY_SOURCE', 'FUNCTIONS', 'ERROR_CODES'],
  ...['ErrorCode', 'FunctionClient', 'partsOf', 'isNil', 'areStrings', 'unexpected'],
  ...['Array', 'Promise', 'String', 'TypeError', 'undefined'],
];

/** What a generated function says: none of these can name a part of a reply. */
const LOCAL = ['client', 'keys', 'args', 'sent', 'numkeys', 'reply'];

const RESERVED = (
  'arguments await break case catch class const continue debugger default delete do else enum eval export extends ' +
  'false finally for function if implements import in instanceof interface let new null package private protected ' +
  'public return static super switch this throw true try typeof var void while with yield'
).split(' ');

/** `conv_get_by_job` is `convGetByJob`. */
export function camelCase(name: string): string {
  return name.replace(/_+([A-Za-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

interface Named {
  name: string;
  line: number;
}

/** Two things of one name, or of a name that TypeScript keeps for itself, would not compile. */
export function refuseTakenNames(
  file: LuaFile,
  {
    constants,
    aliases,
    classes,
    functions,
  }: {
    constants: readonly Named[];
    aliases: readonly Named[];
    classes: readonly Named[];
    functions: readonly (Named & { replies: readonly { name: string }[] })[];
  },
): void {
  const taken = new Set([...EXPORTED, ...RESERVED]);
  const named = [
    ...[...constants, ...aliases, ...classes].map(({ name, line }) => ({ name, line, as: name })),
    ...functions.map(({ name, line }) => ({ name, line, as: camelCase(name) })),
  ];
  for (const { name, line, as } of named) {
    if (taken.has(as)) throw file.mistake(line, `${name} is ${as} in TypeScript, and that is taken; rename it.`);
    taken.add(as);
  }
  const local = [...EXPORTED, ...RESERVED, ...LOCAL];
  for (const { name, line, replies } of functions) {
    const part = replies.length > 1 && replies.find((reply) => local.includes(reply.name));
    if (part)
      throw file.mistake(line, `a part of the reply of ${name} is called ${part.name}, which is taken; rename it.`);
  }
}

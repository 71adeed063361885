/** One member of a JSON object, with the bytes around it as they are written. */
export interface Member {
  name: string;
  /** From behind the comma up to the value: white space, the name in quotes, the colon. */
  before: string;
  /** The value as JSON. */
  value: string;
  /** White space behind the value. */
  after: string;
}

/** The text of a JSON object, member by member: what is changed in one place shows what must not change elsewhere. */
export type Document = readonly Member[];

/** An object as JSON.stringify writes it. */
export function documentOf(object: object): Document {
  return Object.entries(object).map(([name, value]) => plain(name, JSON.stringify(value)));
}

/** The document's bytes. */
export function textOf(document: Document): string {
  return `{${document.map(({ before, value, after }) => before + value + after).join(',')}}`;
}

/** A call for a person to read, its documents as their JSON. */
export function shown(call: object): string {
  return JSON.stringify(call, (_, value) => (value?.[0]?.before ? textOf(value) : value));
}

/** What a parser gives for a member; undefined where it is absent. Of members with one name the last counts. */
export function memberOf(document: Document, name: string): unknown {
  const member = document.findLast((candidate) => candidate.name === name);
  return member && JSON.parse(member.value);
}

/** The value of a member that says something; undefined where it is null, which means the same as absent. */
export function given(document: Document, name: string): unknown {
  return memberOf(document, name) ?? undefined;
}

/** The document with another value for a member, in its place; behind the last one where it is absent. */
export function withMember(document: Document, name: string, value: unknown): Document {
  const at = document.findLastIndex((candidate) => candidate.name === name);
  const json = JSON.stringify(value);
  if (at >= 0) return document.map((member, index) => (index === at ? { ...member, value: json } : member));
  const after = document.at(-1)?.after ?? '';
  return [
    ...document.slice(0, -1),
    ...document.slice(-1).map((last) => ({ ...last, after: '' })),
    { ...plain(name, json), after },
  ];
}

function plain(name: string, value: string): Member {
  return { name, before: `${JSON.stringify(name)}:`, value, after: '' };
}

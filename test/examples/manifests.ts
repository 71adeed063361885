import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';

const ROOT = join(import.meta.dirname, '..', '..');
export const BOT_FOLDER = join(ROOT, 'examples', 'slack');
const run = promisify(execFile);

/** One object of a manifest, as Kubernetes gets it. */
export interface Manifest {
  apiVersion: string;
  kind: string;
}

/** Reads the objects of `kubernetes/NAME`. */
export async function readManifests(name: string): Promise<Manifest[]> {
  const documents = parseAllDocuments(await readFile(join(BOT_FOLDER, 'kubernetes', name), 'utf8'));
  return documents.map((document) => {
    // Among the errors is a key that stands there twice.
    if (document.errors[0]) throw document.errors[0];
    return document.toJS();
  });
}

/** The members whose names are the author's: labels, amounts of resources, what a Service selects. */
const NAMED_FREELY = /\.(labels|matchLabels|annotations|requests|limits)\.|^Service\.spec\.selector\./;

/** The members that say which type it is. A manifest without them has none to compare it with. */
const NAMES_THE_TYPE = /^\w+\.(apiVersion|kind)$/;

/** A manifest with one member misspelt, once for each member whose name Kubernetes gives. */
export function misspellings(manifest: Manifest): { path: string; manifest: Manifest }[] {
  const all: { path: string; manifest: Manifest }[] = [];
  const visit = (value: unknown, path: string, put: (changed: unknown) => Manifest) => {
    if (Array.isArray(value)) {
      value.forEach((item, n) => {
        visit(item, path, (changed) => put(value.with(n, changed)));
      });
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, member] of Object.entries(value)) {
        const here = `${path}.${name}`;
        const { [name]: _, ...others } = value as Record<string, unknown>;
        if (!NAMED_FREELY.test(here) && !NAMES_THE_TYPE.test(here))
          all.push({ path: here, manifest: put({ ...others, [`${name}x`]: member }) });
        visit(member, here, (changed) => put({ ...value, [name]: changed }));
      }
    }
  };
  visit(manifest, manifest.kind, (changed) => changed as Manifest);
  return all;
}

/**
 * Compares manifests with the types that kubernetes-types makes of Kubernetes' own schemas: as object literals, so that
 * the compiler refuses members that a type does not have.
 *
 * @returns For each manifest what the compiler says, empty where nothing is wrong.
 */
export async function schemaErrors(manifests: readonly Manifest[]): Promise<string[]> {
  // Inside the project, where the compiler finds the types.
  const folder = await mkdtemp(join(import.meta.dirname, 'manifests-'));
  try {
    const lines = manifests.map(({ apiVersion, kind, ...members }, n) => {
      const [group = '', version] = apiVersion.includes('/') ? apiVersion.split('/') : ['core', apiVersion];
      const type = `import('kubernetes-types/${group.split('.')[0]}/${version}.js').${kind}`;
      return `export const m${n}: ${type} = ${JSON.stringify({ apiVersion, kind, ...members })};\n`;
    });
    await writeFile(join(folder, 'manifests.ts'), lines.join(''));
    const project = join(folder, 'tsconfig.json');
    await writeFile(project, JSON.stringify({ extends: '../../../tsconfig.json', include: ['*.ts'] }));
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const { stdout } = await run(process.execPath, [tsc, '-p', project], { maxBuffer: 64 * 2 ** 20 }).catch((e) => e);
    const errors = manifests.map(() => '');
    for (const [, line, text] of stdout.matchAll(/manifests\.ts\((\d+),\d+\): error (.*)/g)) {
      errors[Number(line) - 1] += `${text}\n`;
    }
    if (stdout.trim() !== '' && errors.every((error) => error === '')) throw new Error(stdout);
    return errors;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

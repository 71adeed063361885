import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './pages.ts';

const run = promisify(execFile);

/** What the compiler said, empty where nothing is wrong, and how to run what it made of each file. */
export interface Compiled {
  errors: string;
  run(name: string, env: NodeJS.ProcessEnv): Promise<{ stdout: string }>;
  remove(): Promise<void>;
}

/** Compiles files by the settings of the project, as if they lay in a folder of it, where the types of all packages are. */
export async function compile(files: Record<string, string>, options: object = {}): Promise<Compiled> {
  const folder = await mkdtemp(join(import.meta.dirname, 'programs-'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, `${name}.ts`), text);
  const compilerOptions = { noEmit: false, rootDir: ROOT, outDir: 'made', ...options };
  const config = { extends: '../../../tsconfig.json', compilerOptions, include: ['*.ts'] };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const compiler = run(process.execPath, [tsc, '-p', folder], { maxBuffer: 64 * 2 ** 20 });
  const { stdout: errors } = await compiler.catch((error) => error);
  // The programs import the package by its name.
  const { name } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
  const made = { name, type: 'module', exports: './src/index.js' };
  await writeFile(join(folder, 'made', 'package.json'), JSON.stringify(made));
  return {
    errors,
    run: (name, env) => run(process.execPath, [join(folder, 'made', folder.slice(ROOT.length), `${name}.js`)], { env }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

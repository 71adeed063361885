import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { LIBRARY_VERSION } from '../src/index.ts';

// Says what a release would do, and whether everything is ready for it. It tags and publishes nothing.

interface Packed {
  filename: string;
  size: number;
  files: { path: string }[];
}

const { name, version } = JSON.parse(readFileSync('package.json', 'utf8'));
const changelog = readFileSync('CHANGELOG.md', 'utf8');
const run = (program: string, ...args: string[]) => execFileSync(program, args, { encoding: 'utf8' }).trim();

const [, heading = 'none', unreleased] = /^## (\S+)( - unreleased)?/m.exec(changelog) ?? [];
const checks: [what: string, problem: () => string | undefined][] = [
  ['the work tree is clean', () => (run('git', 'status', '--porcelain') === '' ? undefined : 'Commit or stash first.')],
  [
    'package.json and the library have one version',
    () => (version === LIBRARY_VERSION ? undefined : `They are ${version} and ${LIBRARY_VERSION}.`),
  ],
  [
    'the changelog begins with this version and its date',
    () =>
      heading === version && !unreleased
        ? undefined
        : `It begins with ${heading}${unreleased ? ', which it calls unreleased' : ''}; wanted is "## ${version} - YYYY-MM-DD".`,
  ],
  [
    'this version has no tag yet',
    () => (run('git', 'tag', '--list', `v${version}`) === '' ? undefined : `v${version} is there.`),
  ],
  [
    'the generated files are those of the Lua',
    () => {
      try {
        run(process.execPath, '--import', 'tsx', 'scripts/generate.ts', '--check');
        return undefined;
      } catch {
        return 'Run npm run generate.';
      }
    },
  ],
];

let problems = 0;
for (const [what, find] of checks) {
  const problem = find();
  if (problem) problems++;
  console.log(problem ? `no   ${what}. ${problem}` : `yes  ${what}`);
}
const output = run('npm', 'pack', '--dry-run', '--json');
// What the build prints comes first.
const [packed] = JSON.parse(output.slice(output.search(/^\[$/m))) as [Packed];
console.log(
  `\nIt would tag v${version} and publish ${packed.filename}: ${packed.files.length} files, ${Math.round(packed.size / 1024)} KiB.`,
);
for (const folder of new Set(packed.files.map(({ path }) => path.split('/')[0])).keys()) console.log(`  ${folder}`);
console.log(
  problems === 0
    ? `\nReady. By hand: git tag v${version} && npm publish`
    : `\nNot ready: ${problems} of ${checks.length} checks failed. ${name} was neither tagged nor published.`,
);
process.exitCode = problems === 0 ? 0 : 1;

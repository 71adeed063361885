// npm run release: says what a release would do, and whether everything is ready for it. It tags and publishes nothing.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { LIBRARY_VERSION } from '../src/index.ts';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const run = (program: string, ...args: string[]) => execFileSync(program, args, { encoding: 'utf8' }).trim();
const isUpToDate = () =>
  spawnSync(process.execPath, ['--import', 'tsx', 'scripts/generate.ts', '--check'], { stdio: 'ignore' }).status === 0;
const [heading] = /^## .*/m.exec(readFileSync('CHANGELOG.md', 'utf8')) ?? [];

const checks: [what: string, holds: boolean, otherwise: string][] = [
  ['the work tree is clean', run('git', 'status', '--porcelain') === '', 'Commit or stash first.'],
  [
    'package.json and the library have one version',
    version === LIBRARY_VERSION,
    `They are ${version} and ${LIBRARY_VERSION}.`,
  ],
  [
    'the changelog begins with this version and its date',
    heading?.startsWith(`## ${version} - 2`) === true,
    `It begins with "${heading}"; wanted is "## ${version} - YYYY-MM-DD".`,
  ],
  ['this version has no tag yet', run('git', 'tag', '--list', `v${version}`) === '', `v${version} is there.`],
  ['the generated files are those of the Lua', isUpToDate(), 'Run npm run generate.'],
];
for (const [what, holds, otherwise] of checks) console.log(holds ? `yes  ${what}` : `no   ${what}. ${otherwise}`);

console.log(`\nIt would tag v${version} and publish:\n`);
execFileSync('npm', ['pack', '--dry-run'], { stdio: 'inherit' });
const problems = checks.filter(([, holds]) => !holds).length;
const ready = `Ready. By hand: git tag v${version} && npm publish`;
console.log(problems === 0 ? `\n${ready}` : `\nNot ready: ${problems} of ${checks.length} checks failed.`);
process.exitCode = problems === 0 ? 0 : 1;

// Part of npm run lint: luacheck over the Lua. It is no npm package, so it runs only where somebody installed it.
import { spawnSync } from 'node:child_process';

const FILES = ['lua', 'scripts', 'test'];

const colour = process.stdout.isTTY && process.stdout.hasColors() ? [] : ['--no-color'];
const { error, status } = spawnSync('luacheck', [...FILES, ...colour], { stdio: 'inherit' });
if (error && (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
if (error) console.log(`luacheck is not installed: the Lua in ${FILES.join(' and ')} was not checked.`);
process.exitCode = error ? 0 : (status ?? 1);

// The process that startDistance() starts: a delaying proxy that ends with its parent, or when that lets it go.
import { startProxy } from './proxy.ts';

const [target = '', delayMs] = process.argv.slice(2);
const proxy = await startProxy(target, Number(delayMs));
process.once('disconnect', () => proxy.close());
process.send?.(proxy.url);

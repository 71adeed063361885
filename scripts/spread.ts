// npm run spread: how evenly the partitions of `sharded: true` spread conversations over the masters of a cluster.

import { partitionOf } from '../src/partitions.ts';
import { slotOf } from './slot.ts';

const SLOTS = 16_384;
const MASTERS = [3, 16, 100];
const CONVERSATIONS = [1_000, 10_000, 100_000, 1_000_000];

console.log("The largest master's share against the mean, slots dealt out as redis-cli --cluster create does");
console.log(`conversations${MASTERS.map((masters) => `${masters} masters`.padStart(14)).join('')}`);
const counts = MASTERS.map((masters) => new Array<number>(masters).fill(0));
let made = 0;
for (const conversations of CONVERSATIONS) {
  for (; made < conversations; made++) {
    const slot = slotOf(`{${partitionOf('slack', `C${made.toString(36).toUpperCase().padStart(10, '0')}`)}}:`);
    for (const [at, masters] of MASTERS.entries()) {
      const shares = counts[at] as number[];
      const master = Math.min(masters - 1, Math.floor((slot * masters) / SLOTS));
      shares[master] = (shares[master] ?? 0) + 1;
    }
  }
  const row = counts.map((shares) => (Math.max(...shares) / (conversations / shares.length)).toFixed(3).padStart(14));
  console.log(`${conversations.toLocaleString('en').padStart(13)}${row.join('')}`);
}

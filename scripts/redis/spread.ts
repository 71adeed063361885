// npm run spread: how evenly conversations lie on the masters of a cluster. Computes, asks no server.
import { PARTITIONS, partitionName, partitionOf } from '../../src/keys/prefix.ts';
import { slotOf } from './slot.ts';

const SLOTS = 16_384;
const MASTERS = [3, 16, 100];

const slots = (count: number, prefixOf: (number: number) => string) =>
  Array.from({ length: count }, (_, number) => slotOf(`{${prefixOf(number)}}:`));
const conversation = (number: number) => partitionOf('slack', `C${number}`);
const tenant = (number: number) => `tenant-${number}`;
const ROWS: [name: string, slots: number[]][] = [
  ['sharded: all partitions', slots(PARTITIONS, partitionName)],
  ['sharded: 10,000 conversations', slots(10_000, conversation)],
  ['sharded: 1,000,000 conversations', slots(1_000_000, conversation)],
  ['a prefix each: 100 tenants', slots(100, tenant)],
  ['a prefix each: 1,000 tenants', slots(1_000, tenant)],
  ['a prefix each: 10,000 tenants', slots(10_000, tenant)],
];

/** The share of the master that has most, against the mean, where each has as many slots in a row as the others. */
function largest(slots: number[], masters: number): number {
  const counts = new Array<number>(masters).fill(0);
  for (const slot of slots) {
    const master = Math.floor((slot * masters) / SLOTS);
    counts[master] = (counts[master] ?? 0) + 1;
  }
  return Math.max(...counts) / (slots.length / masters);
}

// The rows of the table in docs/cluster.md.
for (const [name, slots] of ROWS) {
  console.log(`| ${[name, ...MASTERS.map((masters) => largest(slots, masters).toFixed(3))].join(' | ')} |`);
}

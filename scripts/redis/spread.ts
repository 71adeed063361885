// npm run spread: how evenly conversations lie on the masters of a cluster. Computes, asks no server.
import { PARTITIONS, partitionName, partitionOf } from '../../src/keys/prefix.ts';
import { slotOf } from './slot.ts';

const SLOTS = 16_384;
const MASTERS = [3, 16, 100];

const numbers = (count: number) => Array.from({ length: count }, (_, number) => number);
const ROWS: [name: string, slots: number[]][] = [
  ['sharded: all partitions', numbers(PARTITIONS).map((number) => slotOf(`{${partitionName(number)}}:`))],
  ['sharded: 10,000 conversations', conversations(10_000)],
  ['sharded: 1,000,000 conversations', conversations(1_000_000)],
  ['a prefix each: 100 tenants', tenants(100)],
  ['a prefix each: 1,000 tenants', tenants(1_000)],
  ['a prefix each: 10,000 tenants', tenants(10_000)],
];

function conversations(count: number): number[] {
  const slots = new Map(
    numbers(PARTITIONS).map((number) => [partitionName(number), slotOf(`{${partitionName(number)}}:`)]),
  );
  return numbers(count).map((number) => slots.get(partitionOf('slack', `C${number}`)) ?? 0);
}

function tenants(count: number): number[] {
  return numbers(count).map((number) => slotOf(`{tenant-${number}}:`));
}

/** The share of the master that has most, against the mean, where each has as many slots in a row as the others. */
function largest(slots: number[], masters: number): number {
  const counts = new Array<number>(masters).fill(0);
  for (const slot of slots) {
    const master = Math.floor((slot * masters) / SLOTS);
    counts[master] = (counts[master] ?? 0) + 1;
  }
  return Math.max(...counts) / (slots.length / masters);
}

const width = Math.max(...ROWS.map(([name]) => name.length));
console.log('What the fullest master has, against the mean:\n');
console.log(`${''.padEnd(width)}${MASTERS.map((masters) => `${masters} masters`.padStart(13)).join('')}`);
for (const [name, slots] of ROWS) {
  const shares = MASTERS.map((masters) => largest(slots, masters).toFixed(3).padStart(13));
  console.log(`${name.padEnd(width)}${shares.join('')}`);
}

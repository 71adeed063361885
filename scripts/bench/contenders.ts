import { bareContender } from './bare.ts';
import type { Contender } from './contender.ts';
import { peerContenders } from './peers.ts';
import { plainContender } from './plain.ts';
import { rawContender, storeContender } from './store.ts';
import { watchContender } from './watch.ts';
import { WAYS } from './ways.ts';

/** What is measured side by side, the store first. */
export async function findContenders(): Promise<{ contenders: Contender[]; peers: string[] }> {
  const { contenders, versions } = await peerContenders();
  const store = storeContender('store', 'this package, one connection for all callers');
  return {
    contenders: [store, rawContender, bareContender, plainContender, watchContender, ...contenders],
    peers: versions,
  };
}

/** Any contender, by its name. */
export async function findContender(wanted: string): Promise<Contender> {
  const { contenders } = await findContenders();
  const found = [...contenders, ...WAYS].find(({ name }) => name === wanted);
  if (!found) throw new Error(`there is no contender ${wanted}`);
  return found;
}

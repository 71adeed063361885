import type { Cluster, Redis } from 'ioredis';
import { invalidArgument } from './errors.ts';

/** @throws ConversationError INVALID_ARGUMENT where this is not a client of ioredis. */
export function checkClient(client: Redis | Cluster): void {
  // A pipeline has the commands and the options of its client.
  const isPipeline = typeof client === 'object' && client !== null && 'isPipeline' in client;
  if (typeof client?.fcall === 'function' && typeof client.options === 'object' && !isPipeline) return;
  const isNodeRedis = typeof client === 'object' && client !== null && 'fCall' in client;
  const what = isNodeRedis
    ? 'this is a client of the package redis (node-redis)'
    : `this is ${isPipeline ? 'a pipeline' : 'not one'}`;
  throw invalidArgument(`client must be a Redis or Cluster of ioredis 5.11 or later, new Redis(url); ${what}`);
}

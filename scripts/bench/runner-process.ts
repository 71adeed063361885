// The process that startRunner() starts: makes one contender's calls when it is told to, and ends with its parent.
import type { Redis } from 'ioredis';
import { connect, type Session } from './contender.ts';
import { findContender } from './contenders.ts';
import { type Conversation, conversation, conversations, putBack } from './conversations.ts';
import { measure } from './measure.ts';
import type { Task } from './runner.ts';

let session: Session;
let client: Redis | undefined;
let all: Conversation[] = [];

async function perform(task: Task): Promise<unknown> {
  if (task.do === 'open') {
    const { contender, url, callers, live } = task;
    session = await (await findContender(contender)).open(url, callers);
    if (live !== undefined) client = await connect(url);
    return undefined;
  }
  if (task.do === 'prepare') {
    const { operation, count } = task;
    if (all.length !== count) all = choose(task);
    await (client ? putBack(client, operation, all) : session.prepare(operation, all));
    // What preparing leaves behind is not to be collected during the calls. What is young twice is old.
    for (let time = 0; time < 2; time++) gc?.({ type: 'minor' });
    return undefined;
  }
  return measure(session.calls[task.operation], all, task.callers);
}

/** Among others that stay, from all over them. */
function choose({ count, bytes = 0, live }: Task & { do: 'prepare' }): Conversation[] {
  if (live === undefined) return conversations(count, { bytes });
  return Array.from({ length: count }, (_, index) => conversation(Math.floor((index * live) / count)));
}

process.on('message', (task: Task) => {
  perform(task).then(
    (done) => process.send?.({ done }),
    (error: Error) => process.send?.({ failed: error.message }),
  );
});
process.once('disconnect', () => process.exit());

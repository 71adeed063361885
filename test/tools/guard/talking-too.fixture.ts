import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';

test('prints one line after the other', async () => {
  for (let line = 0; line < 20; line++) {
    console.log(`talking-too ${line}`);
    await sleep(10);
  }
});

test.run();

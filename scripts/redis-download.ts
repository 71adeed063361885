// A process of its own, forked by redis-binary.ts, so that a download or a build that hangs can be ended.
// Arguments: the version and the folder. Answers with the path of the program, or with the reason why there is none.
import { RedisBinary } from 'redis-memory-server';

const [version, downloadDir] = process.argv.slice(2);
if (!version || !downloadDir) throw new Error('usage: redis-download.ts VERSION FOLDER');

RedisBinary.getPath({ version, downloadDir, systemBinary: '', ignoreDownloadCache: false })
  .then((path) => process.send?.({ path }))
  .catch((error: unknown) => process.send?.({ reason: error instanceof Error ? error.message : String(error) }))
  .finally(() => process.disconnect?.());

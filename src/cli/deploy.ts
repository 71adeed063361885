import { LIBRARY_NAME, LIBRARY_VERSION } from '../conversation.gen.ts';
import { isConversationError } from '../errors.ts';
import { checkLibrary, compareVersions, type LibraryReport, loadLibrary, standing } from '../library.ts';
import { readAddress } from './address.ts';
import type { Command } from './command.ts';
import { withServer } from './connect.ts';
import { Failure } from './failure.ts';

const THIS = `${LIBRARY_NAME} ${LIBRARY_VERSION}`;

export const load: Command = {
  summary: `brings a server's library to ${THIS}`,
  options: ['url', 'force'],
  async run({ url, force = false }) {
    const address = readAddress(url);
    const report = await withServer(address, (client) =>
      loadLibrary(client, { force }).catch((error: unknown) => {
        if (!isConversationError(error, 'LIBRARY_TOO_NEW')) throw error;
        throw new Failure(`${address.name}: ${error.message}. To go back to ${LIBRARY_VERSION} all the same: --force`);
      }),
    );
    console.log(`${address.name}  ${done(report)}`);
  },
};

export const check: Command = {
  summary: `says whether a server is at ${THIS}, and changes nothing`,
  options: ['url'],
  async run({ url }) {
    const address = readAddress(url);
    const report = await withServer(address, checkLibrary);
    console.log(`${address.name}  ${found(report)}`);
    if (!report.current) throw new Failure(`${address.name} is not at ${THIS}. ${advice(report)}`);
  },
};

function done({ present, found, current }: LibraryReport): string {
  if (current) return `${THIS} is there already`;
  if (!present) return `${THIS} loaded, there was none`;
  return `${THIS} loaded, replacing ${found === LIBRARY_VERSION ? `a ${found} of another source` : (found ?? 'one without a version')}`;
}

function found({ present, found, current }: LibraryReport): string {
  if (current) return `${THIS} is there`;
  if (!present) return `there is no library ${LIBRARY_NAME}`;
  if (found === null) return `a library ${LIBRARY_NAME} without a version is there`;
  const order = compareVersions(found, LIBRARY_VERSION);
  const difference =
    order === 0 ? 'of another source' : `${order < 0 ? 'older' : 'newer'} than this ${LIBRARY_VERSION}`;
  return `${LIBRARY_NAME} ${found} is there, ${difference}`;
}

function advice({ found }: LibraryReport): string {
  if (found !== null && compareVersions(found, LIBRARY_VERSION) > 0) {
    return standing(found) === 'serving'
      ? `Apps of ${LIBRARY_VERSION} work on it.`
      : `Apps of ${LIBRARY_VERSION} do not work on it: update them.`;
  }
  return 'To load it: npx conversation-state load --url redis://…';
}

import type { JobMessage } from './events.ts';
import { member, text } from './members.ts';

/**
 * Reads the fields of an entry of a job's stream, `job:{jobId}:out`. A stream holds flat text alone, and writers fill
 * every field: an empty one is as good as none.
 */
export function readJob(body: object): JobMessage | undefined {
  const type = member(body, 'type');
  if (type !== 'Progress' && type !== 'Question' && type !== 'Done' && type !== 'Error') return undefined;
  const common = {
    kind: 'job' as const,
    jobId: text(body, 'jobId'),
    text: text(body, 'text'),
    ...(member(body, 'channelId')
      ? { channel: { platform: text(body, 'platform'), channelId: text(body, 'channelId') } }
      : {}),
  };
  return type === 'Question'
    ? { ...common, type, questionId: text(body, 'questionId') }
    : { ...common, type, text: step(body) + common.text };
}

function step(body: object): string {
  const [at, of] = [member(body, 'step'), member(body, 'total')];
  return at && of ? `${at}/${of} ` : '';
}

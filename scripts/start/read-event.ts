import type { Direction, DispatcherEvent } from './events.ts';
import { readGithub } from './github.ts';
import { readJob } from './job.ts';
import { BadEvent, number, text } from './members.ts';
import { readSlack } from './slack.ts';
import { readTeams } from './teams.ts';

/**
 * Reads one line of a file of events: the JSON that Slack, Microsoft Teams, GitHub or a job sent, as they sent it, or
 * one of `{"scene":"a heading"}`, `{"waitMs":2000}`, `{"reads":"a job"}`, `{"dies":"a job"}` and
 * `{"spawn":"fails"}`.
 * @throws BadEvent
 */
export function readEvent(line: string): DispatcherEvent | Direction {
  const body = parse(line);
  if ('scene' in body) return { kind: 'scene', title: text(body, 'scene') };
  if ('waitMs' in body) return { kind: 'wait', ms: number(body, 'waitMs', { from: 0, to: 60_000 }) };
  if ('reads' in body) return { kind: 'read', jobId: text(body, 'reads') };
  if ('dies' in body) return { kind: 'death', jobId: text(body, 'dies') };
  if ('spawn' in body) return { kind: 'no spawn' };
  const event = readSlack(body) ?? readTeams(body) ?? readGithub(body) ?? readJob(body);
  if (event) return event;
  throw new BadEvent('of no known shape: it is not what Slack, Teams, GitHub or a job sends');
}

function parse(line: string): object {
  let body: unknown;
  try {
    body = JSON.parse(line);
  } catch (error) {
    throw new BadEvent(`not JSON: ${(error as Error).message}`);
  }
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body;
  throw new BadEvent('not a JSON object');
}

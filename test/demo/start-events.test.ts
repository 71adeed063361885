import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { commandOf } from '../../scripts/start/command.ts';
import type { ChatMessage, Direction, DispatcherEvent } from '../../scripts/start/events.ts';
import { readEvent } from '../../scripts/start/read-event.ts';

const test = suite('the events of npm start');

function read(body: object): DispatcherEvent | Direction {
  return readEvent(JSON.stringify(body));
}

function slack(event: object): object {
  return { type: 'event_callback', event_id: 'Ev1', team_id: 'T1', event };
}

function teams(activity: object): object {
  const conversation = { id: '19:abc@thread.tacv2;messageid=17', conversationType: 'channel' };
  return { type: 'message', channelId: 'msteams', id: '18', from: { id: '29:u' }, conversation, ...activity };
}

const BUTTON = { jobId: 'j1', questionId: 'q1', answer: 'yes' };

test('a message and a mention that Slack sends for one message are one', () => {
  const said = { channel: 'C1', user: 'U1', ts: '17.01', text: '<@U0BOT> fix #65 in todo' };
  const message = read(slack({ type: 'message', ...said }));
  assert.equal(message, {
    kind: 'message',
    platform: 'slack',
    channelId: 'C1',
    userId: 'U1',
    messageId: '17.01',
    text: 'fix #65 in todo',
  });
  assert.equal(read(slack({ type: 'app_mention', ...said })), message);
});

test('what Slack tells of edits, bots and reactions is noise', () => {
  assert.is(read(slack({ type: 'message', subtype: 'message_changed', channel: 'C1' })).kind, 'noise');
  assert.is(read(slack({ type: 'message', bot_id: 'B1', user: 'U1', ts: '1', text: 'fix #1 in a' })).kind, 'noise');
  assert.is(read(slack({ type: 'reaction_added', user: 'U1' })).kind, 'noise');
});

test('a message without words is a message', () => {
  assert.is((read(slack({ type: 'message', channel: 'C1', user: 'U1', ts: '1' })) as ChatMessage).text, '');
  assert.is((read(teams({ attachments: [] })) as ChatMessage).text, '');
});

test('a button of another app is not usable', () => {
  const click = { type: 'block_actions', user: { id: 'U1' }, channel: { id: 'C1' }, trigger_id: 't' };
  assert.throws(
    () => read({ ...click, actions: [{ action_id: 'a', value: 'approve' }] }),
    /actions\.0\.value must be JSON/,
  );
  assert.throws(() => read({ ...click, actions: [] }), /actions\.0\.value must be a non-empty string/);
});

test('every thread of a Teams channel is that channel', () => {
  const message = read(teams({ text: '<at>Smith</at>&nbsp;fix WEB-12 in shop' })) as ChatMessage;
  assert.is(message.channelId, '19:abc@thread.tacv2');
  assert.is(message.text, 'fix WEB-12 in shop');
});

test('both kinds of buttons of a Teams card are clicks, and other invokes are noise', () => {
  const click = {
    kind: 'click',
    platform: 'teams',
    channelId: '19:abc@thread.tacv2',
    userId: '29:u',
    clickId: '18',
    ...BUTTON,
  };
  assert.equal(read(teams({ value: BUTTON })), click);
  assert.equal(
    read(teams({ type: 'invoke', name: 'adaptiveCard/action', value: { action: { data: BUTTON } } })),
    click,
  );
  assert.is(read(teams({ type: 'invoke', name: 'composeExtension/query', value: {} })).kind, 'noise');
  assert.is(read(teams({ type: 'conversationUpdate' })).kind, 'noise');
});

test('a comment on GitHub is a message of its pull request, and a deleted one or one of a bot is noise', () => {
  const comment = {
    action: 'created',
    comment: { id: 7, body: '@bot fix this', user: { login: 'ann' } },
    issue: { number: 12 },
    repository: { name: 'repo', full_name: 'org/repo' },
    sender: { type: 'User' },
  };
  const message = read(comment) as ChatMessage;
  assert.is(message.channelId, 'org/repo#12');
  assert.equal(commandOf(message), { ticketId: 12, project: 'repo', instead: false });
  assert.is(read({ ...comment, action: 'deleted' }).kind, 'noise');
  assert.is(read({ ...comment, sender: { type: 'Bot' } }).kind, 'noise');
});

test('an empty field of a job message is none', () => {
  const message = { type: 'Progress', jobId: 'j1', text: 'at work', step: '', total: '', platform: '', channelId: '' };
  assert.equal(read(message), { kind: 'job', type: 'Progress', jobId: 'j1', text: 'at work' });
  assert.throws(() => read({ ...message, type: 'Question', questionId: '' }), /questionId must be a non-empty string/);
});

test('a command names its ticket and project', () => {
  const command = (text: string) => {
    const message = read(slack({ type: 'message', channel: 'C1', user: 'U1', ts: '1', text })) as ChatMessage;
    return commandOf(message);
  };
  assert.equal(command('could you Fix web-12 in shop instead, please'), {
    ticketId: 'WEB-12',
    project: 'shop',
    instead: true,
  });
  assert.equal(command('fix #65 in todo'), { ticketId: 65, project: 'todo', instead: false });
  for (const talk of ['', 'thanks!', 'fix this', 'fix #65', 'prefix #65 in todo']) assert.is(command(talk), undefined);
});

test.run();

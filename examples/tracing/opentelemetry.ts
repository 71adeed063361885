import { tracingChannel } from 'node:diagnostics_channel';
import { metrics, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { CallTrace } from 'conversation-state';

/** Makes spans and metrics of every call of every store. Call it after the SDK was started; it returns what ends it. */
export function observeConversations(): () => void {
  const tracer = trace.getTracer('conversation-state');
  const meter = metrics.getMeter('conversation-state');
  const calls = meter.createCounter('conversation.calls', { description: 'Calls by method, platform and outcome' });
  const errors = meter.createCounter('conversation.errors', { description: 'Failed calls by method and code' });
  const duration = meter.createHistogram('conversation.duration', { unit: 'ms' });
  const inbox = meter.createHistogram('conversation.inbox.length', { description: 'Entries a job found in its inbox' });
  const due = meter.createCounter('conversation.due_jobs', { description: 'Jobs that `due` returned' });
  const running = new WeakMap<CallTrace, { span: Span; began: number }>();
  const subscriber = {
    start(call: CallTrace) {
      const span = tracer.startSpan(`conversation.${call.method}`, { kind: SpanKind.CLIENT });
      running.set(call, { span, began: performance.now() });
    },
    asyncEnd(call: CallTrace) {
      const { method, platform = 'unknown', outcome, count, code } = call;
      const { span, began } = running.get(call) ?? {};
      if (!span || began === undefined) return;
      duration.record(performance.now() - began, { method });
      if (code === undefined) calls.add(1, { method, platform, ...(outcome && { outcome }) });
      else errors.add(1, { method, code });
      if (method === 'inbox' && count !== undefined) inbox.record(count);
      if (method === 'due' && count) due.add(count);
      for (const [name, value] of Object.entries({ platform, outcome, count, code })) {
        if (value !== undefined) span.setAttribute(`conversation.${name}`, value);
      }
      if (code !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: code });
      span.end();
    },
    ...{ end() {}, asyncStart() {}, error() {} },
  };
  const channel = tracingChannel<string, CallTrace>('conversation-state:call');
  channel.subscribe(subscriber);
  return () => void channel.unsubscribe(subscriber);
}

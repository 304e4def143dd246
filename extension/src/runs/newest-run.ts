import type { Run } from '@labscale/schema';
import type { EventStream } from '../api/event-stream';

/**
 * What an operation on a run answers, or what an event told of that run meanwhile.
 *
 * Answer and events come over two connections: a short run may have ended by the time the answer says that it began. An
 * event that was sent before the operation does no harm, for the one of the operation itself follows it.
 */
export async function newestRun(events: Pick<EventStream, 'on'>, ask: () => Promise<Run>): Promise<Run> {
  const told = new Map<string, Run>();
  const listening = events.on('run', ({ run }) => void told.set(run.id, run));
  try {
    const answer = await ask();
    return told.get(answer.id) ?? answer;
  } finally {
    listening.dispose();
  }
}

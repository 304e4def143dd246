/** One event of a `text/event-stream`. */
export interface IServerSentEvent {
  type: string;
  data: string;
}

/**
 * Splits a `text/event-stream` into events as its pieces arrive (WHATWG HTML, section 9.2.6).
 *
 * Not the browser's EventSource: that one cannot send Last-Event-ID after it was closed, gives up for good at any
 * status but 200, and does not show the status.
 */
export class EventStreamParser {
  /** Where to resume: the id of the last event, one without data included. */
  lastEventId: string | null = null;

  push(text: string): IServerSentEvent[] {
    this._buffer += text;
    const events: IServerSentEvent[] = [];
    // A lone CR at the end may be the first half of CRLF: it waits for the next piece.
    const lines = this._buffer.split(/\r\n|\n|\r(?!$)/);
    this._buffer = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        this.lastEventId = this._id;
        if (this._data.length > 0) events.push({ type: this._type, data: this._data.join('\n') });
        this._data = [];
        this._type = 'message';
        continue;
      }
      const colon = line.indexOf(':');
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'data') this._data.push(value);
      else if (field === 'event') this._type = value;
      else if (field === 'id' && !value.includes('\0')) this._id = value;
    }
    return events;
  }

  private _buffer = '';
  private _data: string[] = [];
  private _type = 'message';
  private _id: string | null = null;
}

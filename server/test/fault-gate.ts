import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** An attempt that waits at the gate; `host` is the name of its machine. */
export interface Holding {
  attempt: number;
  host: string;
  /** Lets it go on. */
  release: () => void;
}

/**
 * Where programs hold: each says which attempt it is and waits for an answer. So a test knows that a program is at that
 * very point, and how long it stays there, without a clock and without a folder that both see.
 */
export class FaultGate {
  readonly #server = createServer((socket) => this.#take(socket));
  readonly #sockets = new Set<Socket>();
  readonly #here = new Map<string, Holding>();
  readonly #awaited = new Map<string, (holding: Holding) => void>();

  constructor(readonly host: string) {}

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the gate does not listen');
    return address.port;
  }

  async open(): Promise<void> {
    this.#server.listen(0, this.host);
    await once(this.#server, 'listening');
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** The attempt of a task that holds, as soon as one does. */
  async holding(runId: string, task: number, patienceMs: number): Promise<Holding> {
    const key = `${runId}/${task}`;
    const here = this.#here.get(key);
    if (here !== undefined) return here;
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`task ${task} of ${runId} did not come to hold`)), patienceMs);
      this.#awaited.set(key, (holding) => {
        clearTimeout(timer);
        this.#awaited.delete(key);
        resolve(holding);
      });
    });
  }

  #take(socket: Socket): void {
    this.#sockets.add(socket);
    // Its program was killed.
    socket.on('error', () => {});
    let key: string | undefined;
    socket.on('close', () => {
      this.#sockets.delete(socket);
      if (key !== undefined) this.#here.delete(key);
    });
    createInterface({ input: socket }).once('line', (line) => {
      const [runId, task, attempt, host] = JSON.parse(line) as [string, number, number, string];
      key = `${runId}/${task}`;
      const holding = { attempt, host, release: () => void socket.end('go') };
      this.#here.set(key, holding);
      this.#awaited.get(key)?.(holding);
    });
  }
}

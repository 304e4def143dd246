import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** The host of a program that is let go by `release` only. */
export const heldHost = 'rogue-held';

/**
 * Where the programs of tasks wait until so many attempts of the task have come as far: what they leave is then published
 * at the same time. A program connects, says `TASK ATTEMPT HOST` in a line and waits for the end of the connection.
 */
export class TwinGate {
  /** Tasks to the hosts that came. */
  readonly hosts = new Map<number, Set<string>>();
  readonly #waiting = new Map<number, Socket[]>();
  readonly #held: Socket[] = [];
  readonly #sockets = new Set<Socket>();
  #isReleased = false;

  private constructor(
    private readonly server: Server,
    private readonly address: string,
    private readonly wanted: (index: number) => number
  ) {}

  /** `wanted`: how many hosts a task waits for. */
  static async open(address: string, wanted: (index: number) => number): Promise<TwinGate> {
    const server = createServer();
    const gate = new TwinGate(server, address, wanted);
    server.on('connection', (socket) => gate.#take(socket));
    server.listen(0, address);
    await once(server, 'listening');
    return gate;
  }

  /** Words of bash that wait here. */
  get wait(): string {
    const place = `/dev/tcp/${this.address}/${(this.server.address() as AddressInfo).port}`;
    return `exec 3<>${place}; echo "$LABSCALE_TASK $LABSCALE_ATTEMPT $HOSTNAME" >&3; read -r _ <&3`;
  }

  release(): void {
    this.#isReleased = true;
    for (const socket of this.#held.splice(0)) socket.end();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  #take(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setEncoding('utf8').once('data', (line: string) => {
      const [index, , host] = line.trim().split(' ') as [string, string, string];
      this.#arrive(Number(index), host, socket);
    });
  }

  #arrive(index: number, host: string, socket: Socket): void {
    const hosts = this.hosts.get(index) ?? new Set();
    this.hosts.set(index, hosts.add(host));
    const waiting = this.#waiting.get(index) ?? [];
    this.#waiting.set(index, waiting);
    if (host !== heldHost) waiting.push(socket);
    else if (this.#isReleased) socket.end();
    else this.#held.push(socket);
    if (hosts.size < this.wanted(index)) return;
    for (const each of waiting.splice(0)) each.end();
  }
}

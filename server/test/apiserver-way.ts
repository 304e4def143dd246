import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

/** A way to the apiserver that can be cut, or swallow what goes through it. */
export class Way {
  readonly #pairs = new Set<[Socket, Socket]>();
  connections = 0;
  #isClosed = false;

  private constructor(
    private readonly server: Server,
    /** Leads through it. */
    readonly kubeconfig: string
  ) {}

  /** To the apiserver of a kubeconfig; one that leads through it is written to the folder. */
  static async of(kubeconfig: string, folder: string): Promise<Way> {
    const config = await readFile(kubeconfig, 'utf8');
    const url = /https:\/\/[^\s"']+/.exec(config)![0];
    const target = new URL(url);
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const file = join(folder, 'kubeconfig');
    await writeFile(file, config.replace(url, `https://127.0.0.1:${port}`), { mode: 0o600 });
    const way = new Way(server, file);
    server.on('connection', (near) => {
      way.connections += 1;
      if (way.#isClosed) return void near.destroy();
      const far = connect(Number(target.port), target.hostname);
      const pair: [Socket, Socket] = [near, far];
      way.#pairs.add(pair);
      near.pipe(far).pipe(near);
      for (const socket of pair) {
        socket.on('error', () => pair.forEach((each) => each.destroy()));
        socket.on('close', () => way.#pairs.delete(pair));
      }
    });
    return way;
  }

  /** What is connected stays so, and nothing comes through any more. */
  swallow(): void {
    for (const [near, far] of this.#pairs) {
      near.unpipe(far).pause();
      far.unpipe(near).pause();
    }
  }

  cut(): void {
    this.#isClosed = true;
    for (const pair of this.#pairs) pair.forEach((socket) => socket.destroy());
  }

  mend(): void {
    this.#isClosed = false;
  }

  async close(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }
}

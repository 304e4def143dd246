/** Does what has one name one after another, in the order in which it was asked for. */
export class OneAtATime {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Waits for what was asked for before under this name, however that ends. */
  async run<T>(name: string, act: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(name) ?? Promise.resolve()).then(act);
    const settled = turn.catch(() => {});
    this.#last.set(name, settled);
    try {
      return await turn;
    } finally {
      if (this.#last.get(name) === settled) this.#last.delete(name);
    }
  }

  /** When all that was asked for so far has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#last.values());
  }
}

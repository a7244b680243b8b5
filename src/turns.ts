/** Calls that run one after the other, in the order in which they were made. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs a call once those before it have ended, well or not. */
  take<Result>(call: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(call, call);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

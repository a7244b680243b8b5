/** Most batches that are given to a device before the host waits for one of them. */
const mostBatches = 16;

/** About how long the device should have work for: an aborted training waits for that, too. */
const aheadMs = 500;

/**
 * How often the host reads the results of a device. Each read waits until the device is done, which then waits for the host, so
 * several batches are read at once where they are fast.
 */
export class ReadPace {
  #every = 1;
  #batches = 0;
  #lastRead = performance.now();

  /** Counts a batch that the device has been given. */
  addBatch(): void {
    this.#batches++;
  }

  /** Whether so many batches are unread that it is time to read them. */
  get isDue(): boolean {
    return this.#batches >= this.#every;
  }

  /** Begins to read them, and returns their number. */
  begin(): number {
    const batches = this.#batches;
    this.#batches = 0;
    return batches;
  }

  /** Notes that `batches` batches have been read. */
  end(batches: number): void {
    const now = performance.now();
    const batchMs = (now - this.#lastRead) / batches;
    this.#every = Math.max(
      1,
      Math.min(mostBatches, 2 * this.#every, Math.floor(aheadMs / batchMs)),
    );
    this.#lastRead = now;
  }
}

/** Text that ends before the first of some stop texts, which may come in parts. */
export class StopText {
  readonly #stops: readonly string[];
  /** Text that may be the beginning of a stop text. */
  #held = "";
  #isStopped = false;

  /** @param stops None of them is empty. */
  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** Whether a stop text has come. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Adds a part. Returns the text that is now known to come before any stop text. */
  add(part: string): string {
    if (this.#isStopped) return "";
    const text = this.#held + part;
    const starts = this.#stops.map((stop) => text.indexOf(stop)).filter((start) => start >= 0);
    if (starts.length > 0) {
      this.#isStopped = true;
      this.#held = "";
      return text.slice(0, Math.min(...starts));
    }
    const longest = Math.max(0, ...this.#stops.map((stop) => stop.length - 1));
    let end = Math.max(0, text.length - longest);
    while (end < text.length && !this.#stops.some((stop) => stop.startsWith(text.slice(end)))) {
      end++;
    }
    this.#held = text.slice(end);
    return text.slice(0, end);
  }

  /** Ends the text. Returns what was held back. */
  end(): string {
    const held = this.#held;
    this.#held = "";
    return held;
  }
}

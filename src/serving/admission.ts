import { ApiError } from "./api_error.ts";

/** Limits of requests that are under way. */
export interface AdmissionLimits {
  /** Requests that compute at the same time, token by token in turn. */
  readonly concurrent: number;
  /** Requests that wait for one of them to end; more are refused. */
  readonly waiting: number;
}

/** Decides which requests compute, which wait and which are refused. */
export class Admission {
  readonly #limits: AdmissionLimits;
  #admitted = 0;
  #computing = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Requests that compute or wait. */
  get admitted(): number {
    return this.#admitted;
  }

  /**
   * Admits a request.
   *
   * @returns To be disposed of when the request has ended.
   * @throws ApiError where too many wait already.
   */
  admit(): Disposable {
    const { concurrent, waiting } = this.#limits;
    if (this.#admitted >= concurrent + waiting) {
      throw new ApiError(
        429,
        `Cannot answer as too many requests wait: current number is ${
          this.#admitted - concurrent
        }, the most allowed`,
        { code: "too_many_requests", headers: { "retry-after": "1" } },
      );
    }
    this.#admitted++;
    return { [Symbol.dispose]: () => void this.#admitted-- };
  }

  /**
   * Waits until an admitted request may compute; those that came first are first.
   *
   * @param signal Ends the wait, with its reason.
   * @returns To be disposed of when the request has computed.
   */
  async turn(signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    if (this.#computing < this.#limits.concurrent) this.#computing++;
    else await this.#wait(signal); // whoever ends leaves its place
    return {
      [Symbol.dispose]: () => {
        const next = this.#waiting.shift();
        if (next) next();
        else this.#computing--;
      },
    };
  }

  #wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const next = () => {
      signal.removeEventListener("abort", leave);
      resolve();
    };
    const leave = () => {
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      reject(signal.reason);
    };
    signal.addEventListener("abort", leave, { once: true });
    this.#waiting.push(next);
    return promise;
  }
}

/** The result of a promise, or the reason of a signal that aborts before; the promise goes on. */
export async function orAborted<Result>(
  result: Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([result, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    result.catch(() => {});
  }
}

/**
 * Memories of the sessions of a server.
 */
import type { LongMemModel } from "../longmem/longmem_model.ts";
import { Turns } from "../turns.ts";
import type { RememberedText } from "../memory/memory_file.ts";
import { ApiError } from "./api_error.ts";

export interface SessionLimits {
  /** Most sessions at a time: the one that has not been used for longest makes room for another. */
  readonly sessions: number;
  /** Milliseconds after which a session that is not used is forgotten. */
  readonly sessionMs: number;
}

/** A session: its memory, and the requests that use it one after the other. */
export class Session {
  readonly #turns = new Turns();
  readonly #start: LongMemModel;
  /** Absent: it has been given nothing, and reads the memory that all sessions start with. */
  #own: LongMemModel | undefined;
  #users = 0;
  /** Texts that it has been given, in order. */
  texts: readonly RememberedText[] = [];
  /** Time of its last use, in milliseconds. */
  lastUsed = 0;

  /** @param start The model with the memory that all sessions start with. */
  constructor(start: LongMemModel) {
    this.#start = start;
  }

  /** The model with the memory of the session. */
  get model(): LongMemModel {
    return this.#own ?? this.#start;
  }

  get isChanged(): boolean {
    return this.#own !== undefined;
  }

  /** Whether a request uses it or waits for it. */
  get isUsed(): boolean {
    return this.#users > 0;
  }

  /** Uses the session once the requests before have ended. */
  async use<Result>(call: () => Promise<Result>): Promise<Result> {
    this.#users++; // before anything is awaited
    try {
      return await this.#turns.take(call);
    } finally {
      this.#users--;
    }
  }

  /** Changes the memory: all of it, or nothing where it fails. To be called within {@linkcode use}. */
  async change(write: (model: LongMemModel) => Promise<void>): Promise<void> {
    const changed = await this.model.withOwnMemory({ copied: true });
    try {
      await write(changed);
    } catch (error) {
      await changed.close();
      throw error;
    }
    await this.#own?.close();
    this.#own = changed;
  }

  /** Frees its memory, once the requests that use it have ended. */
  close(): Promise<void> {
    return this.#turns.take(async () => {
      await this.#own?.close();
      this.#own = undefined;
    });
  }
}

/** All sessions of a server, by their ids. */
export class Sessions {
  /** The one that has not been used for longest comes first. */
  readonly #sessions = new Map<string, Session>();
  readonly #start: LongMemModel;
  readonly #limits: SessionLimits;
  readonly #now: () => number;

  /**
   * @param start The model with the memory that all sessions start with.
   * @param now The time in milliseconds; tests put their own clock here.
   */
  constructor(start: LongMemModel, limits: SessionLimits, now: () => number = Date.now) {
    this.#start = start;
    this.#limits = limits;
    this.#now = now;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /**
   * Uses a session, once the requests before have ended.
   *
   * @param options `opens`: whether a session that is not there begins; otherwise that is an error.
   * @throws ApiError where there is none, or there are too many, all of them in use.
   */
  async use<Result>(
    id: string,
    { opens }: { opens: boolean },
    call: (session: Session) => Promise<Result>,
  ): Promise<Result> {
    await this.expire();
    const known = this.#sessions.get(id);
    if (!known && !opens) throw this.missing(id);
    const evicted = known ? undefined : this.#makeRoom(id);
    const session = known ?? new Session(this.#start);
    session.lastUsed = this.#now();
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
    // Nothing was awaited since: a session that is in use is not forgotten for another.
    try {
      const [result] = await Promise.all([session.use(() => call(session)), evicted?.close()]);
      return result;
    } finally {
      // A first text that could not be read begins no session.
      const isEmpty = !session.isChanged && !session.isUsed;
      if (isEmpty && this.#sessions.get(id) === session) this.#sessions.delete(id);
    }
  }

  /** The error of a session that is not there. */
  missing(id: string): ApiError {
    return new ApiError(
      404,
      `Cannot use session "${id}" as there is none: one begins with its first text (POST /v1/sessions/${id}/memory), and ends when ` +
        `it is deleted, not used for ${
          this.#limits.sessionMs / 60_000
        } minutes, or makes room for others`,
      { param: "session", code: "session_not_found" },
    );
  }

  /** Takes the session that has not been used for longest out of the list, where it is full; to be closed. */
  #makeRoom(id: string): Session | undefined {
    if (this.#sessions.size < this.#limits.sessions) return undefined;
    const oldest = [...this.#sessions].find(([, session]) => !session.isUsed);
    if (!oldest) {
      throw new ApiError(
        429,
        `Cannot begin session "${id}" as all others are in use: current number is ${this.#sessions.size}, the most allowed`,
        { code: "too_many_sessions", headers: { "retry-after": "1" } },
      );
    }
    this.#sessions.delete(oldest[0]);
    return oldest[1];
  }

  /** Forgets a session; false where there is none. */
  async forget(id: string): Promise<boolean> {
    const session = this.#sessions.get(id);
    this.#sessions.delete(id);
    await session?.close();
    return session !== undefined;
  }

  /** Forgets the sessions that have not been used for too long. */
  async expire(): Promise<void> {
    const oldest = this.#now() - this.#limits.sessionMs;
    const ended = [...this.#sessions]
      .filter(([, { isUsed, lastUsed }]) => !isUsed && lastUsed < oldest);
    for (const [id] of ended) this.#sessions.delete(id);
    for (const [, session] of ended) await session.close();
  }

  /** Forgets all sessions. */
  async close(): Promise<void> {
    for (const id of [...this.#sessions.keys()]) await this.forget(id);
  }
}

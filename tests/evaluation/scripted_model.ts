import type {
  Choices,
  PromptedModel,
  SegmentRows,
} from "../../src/evaluation/shared/language_model.ts";

/** What a scripted model says after some tokens: what it names, and what each next token costs in nats. */
export interface Script {
  readonly names: (tokens: readonly number[]) => number;
  readonly nats: (tokens: readonly number[], next: number) => number;
}

/** A model that says what a script says; `segments` are those that it was given, since the last document began. */
export class ScriptedModel implements PromptedModel {
  readonly name = "scripted";
  readonly #script: Script;
  readonly #pad: number;
  segments: number[][] = [];
  /** Numbers of the documents that were begun, in turn. */
  readonly documents: number[] = [];

  constructor(script: Partial<Script>, pad: number) {
    this.#script = { names: () => 0, nats: () => 1, ...script };
    this.#pad = pad;
  }

  startDocument(_row: number, document: number): Promise<void> {
    this.documents.push(document);
    this.segments = [];
    return Promise.resolve();
  }

  read({ tokens }: Pick<SegmentRows, "tokens" | "rows">): Promise<void> {
    this.segments.push([...tokens]);
    return Promise.resolve();
  }

  ask({ tokens, targets, rows }: SegmentRows): Promise<Choices> {
    const T = tokens.length / rows;
    const nll = new Float32Array(tokens.length), choices = new Int32Array(tokens.length);
    for (let row = 0; row < rows; row++) {
      for (let t = 0; t < T; t++) {
        const before = [...tokens.subarray(row * T, row * T + t + 1)];
        if (before.at(-1) === this.#pad) break;
        choices[row * T + t] = this.#script.names(before);
        nll[row * T + t] = this.#script.nats(before, targets[row * T + t]);
      }
    }
    return Promise.resolve({ nll, choices });
  }

  choose(segment: SegmentRows): Promise<Choices> {
    return this.ask(segment);
  }

  async score(segment: SegmentRows): Promise<Float32Array> {
    return (await this.ask(segment)).nll;
  }
}

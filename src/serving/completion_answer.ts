// deno-lint-ignore-file camelcase -- names of OpenAI's interface
/**
 * Answers to requests for completions in OpenAI's form, whole or as the events of a stream.
 */
import type { FinishReason, PromptTokens } from "./completion.ts";
import type { CompletionRequest } from "./completion_request.ts";
import type { ChoicePart } from "./part_channel.ts";
import { type ChoiceLogprobs, choiceLogprobs, type TokenScore } from "./token_scores.ts";

/** Numbers of tokens. */
interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

/** The completion of a prompt, or a part of it. */
interface Choice {
  readonly index: number;
  readonly text: string;
  readonly logprobs: ChoiceLogprobs | null;
  readonly finish_reason: FinishReason | null;
}

/** Fields of the answer and of each event. */
interface Head {
  readonly id: string;
  readonly object: "text_completion";
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
}

export interface WholeAnswer extends Head {
  readonly choices: readonly Choice[];
  readonly usage: Usage;
}

export class CompletionAnswer {
  readonly #asked: CompletionRequest;
  readonly #prompts: readonly PromptTokens[];
  readonly #head: Head;
  #generatedTokens = 0;

  constructor(
    asked: CompletionRequest,
    prompts: readonly PromptTokens[],
    { model, created }: Pick<Head, "model" | "created">,
  ) {
    this.#asked = asked;
    this.#prompts = prompts;
    const id = `cmpl-${crypto.randomUUID()}`;
    this.#head = { id, object: "text_completion", created, model };
  }

  async whole(parts: AsyncIterable<ChoicePart>): Promise<WholeAnswer> {
    const choices = this.#prompts.map((_, index) => ({
      index,
      text: "",
      scores: [] as TokenScore[],
      finishReason: "length" as FinishReason,
    }));
    for await (const { index, text, scores, finishReason, generatedTokens } of parts) {
      const choice = choices[index];
      choice.text += text;
      choice.scores.push(...scores);
      if (finishReason) choice.finishReason = finishReason;
      this.#generatedTokens += generatedTokens;
    }
    const all = choices.map((choice) => this.#choice(choice));
    return { ...this.#head, choices: all, usage: this.#usage };
  }

  /**
   * Data of the events of a stream.
   *
   * @param first Taken from the parts already.
   */
  async *events(
    first: IteratorResult<ChoicePart>,
    parts: AsyncIterator<ChoicePart>,
  ): AsyncGenerator<string, void> {
    for (let { value, done } = first; !done; { value, done } = await parts.next()) {
      const part = value as ChoicePart;
      this.#generatedTokens += part.generatedTokens;
      // A token may complete no character, or be held back as it may begin a stop text.
      const isSeen = part.text !== "" || part.scores.length > 0 || part.finishReason;
      if (isSeen) yield JSON.stringify({ ...this.#head, choices: [this.#choice(part)] });
    }
    if (this.#asked.includeUsage) {
      yield JSON.stringify({ ...this.#head, choices: [], usage: this.#usage });
    }
    yield "[DONE]";
  }

  #choice(
    { index, text, scores, finishReason }: {
      readonly index: number;
      readonly text: string;
      readonly scores: readonly TokenScore[];
      readonly finishReason?: FinishReason;
    },
  ): Choice {
    return {
      index,
      text,
      logprobs: this.#asked.logprobs === undefined ? null : choiceLogprobs(scores),
      finish_reason: finishReason ?? null,
    };
  }

  get #usage(): Usage {
    const prompt_tokens = this.#prompts
      .reduce((sum, { ids, added }) => sum + ids.length - added, 0);
    return {
      prompt_tokens,
      completion_tokens: this.#generatedTokens,
      total_tokens: prompt_tokens + this.#generatedTokens,
    };
  }
}

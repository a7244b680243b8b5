/**
 * Copying without any training or retrieval: predicts the token that followed the last earlier match of the current context. A control
 * for memories: facts that a search for the last few tokens finds need no attention.
 *
 * At every position the last n tokens, n from `maxMatchTokens` down to `minMatchTokens`, are looked for in the text that a
 * memory would hold, the last `capacityTokens` tokens read before, and in the window; the copied token c is the one after the last
 * match of the longest of them. The model's distribution is the mixture
 *
 *     p(x) = w [x = c] + (1 - w) p_backbone(x),
 *
 * w = `copyWeight`, and the backbone's own where nothing matches. With w of one half at least, c is the most likely token.
 */
import { z } from "zod";
import { nonNegativeInteger, positiveInteger } from "../../declaration/fields.ts";
import type { Accepts, Assert, Declared } from "../../declaration/part.ts";
import { wrong } from "../../declaration/problem.ts";
import { type ModelKind, openLongMem } from "../model_kind.ts";
import {
  type PromptedModel,
  readingModel,
  type ScoredLongMem,
  type SegmentRows,
  tokensOfRow,
} from "../shared/language_model.ts";
import { RowWindows, showRows, type WindowOptions } from "../shared/row_windows.ts";
import { windowOptions, windowProblems, windowSuffix, windowTokensField } from "./in_window.ts";

/** Version of how it copies. Version 2: the match lies within the memory's text and the window, as the copied token does. */
const copyVersion = 2;

/** The model that copies the token after the last match. */
export interface CopyModel {
  /** Which model. */
  readonly model: "copy";
  /** Tokens before the window that are searched (default: the evaluation's memory's capacity; 0 without a memory). */
  readonly capacityTokens: number;
  /** Tokens that must match at least (default 2). */
  readonly minMatchTokens: number;
  /** Tokens that are matched at most (default 4). */
  readonly maxMatchTokens: number;
  /** Weight w of the copied token, from 0.5 and below 1 (default 0.5). */
  readonly copyWeight: number;
  /** Tokens W of a sliding window, the segment's own `contextTokens` included (default: none, segments are disjoint). */
  readonly windowTokens?: number;
}

const schema = z.strictObject({
  model: z.literal("copy"),
  capacityTokens: nonNegativeInteger.exactOptional(),
  minMatchTokens: positiveInteger.exactOptional(),
  maxMatchTokens: positiveInteger.exactOptional(),
  copyWeight: z.number().min(0.5).lt(1).describe("numbers from 0.5, below 1").exactOptional(),
  windowTokens: windowTokensField,
});
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, Declared<CopyModel, "model">>>;

export const copy: ModelKind<Declared<CopyModel, "model">, CopyModel> = {
  schema,
  fill: (declared, { memory }) => ({
    capacityTokens: memory?.capacityTokens ?? 0,
    minMatchTokens: Math.min(2, declared.maxMatchTokens ?? 2),
    maxMatchTokens: Math.max(4, declared.minMatchTokens ?? 4),
    copyWeight: 0.5,
    ...declared,
  }),
  check: ({ minMatchTokens, maxMatchTokens, windowTokens }, path, { contextTokens }) => [
    ...(minMatchTokens <= maxMatchTokens ? [] : [wrong(
      `${path}.minMatchTokens`,
      "must not exceed maxMatchTokens",
      minMatchTokens,
      `integers from 1 to ${maxMatchTokens}`,
    )]),
    ...windowProblems(windowTokens, path, { contextTokens }),
  ],
  nameOf({ model, windowTokens, minMatchTokens, maxMatchTokens, ...sizes }) {
    const { capacityTokens: m, copyWeight: w } = sizes;
    return `${model}-m${m}-n${minMatchTokens}-${maxMatchTokens}-w${w}${windowSuffix(windowTokens)}`;
  },
  windowTokens: ({ windowTokens }) => windowTokens,
  needs: [],
  readsMemory: true,
  rememberedTokens: ({ capacityTokens }) => capacityTokens,
  version: () => copyVersion,
  label: "copying what followed last",
  open: (config, trained, context) =>
    openLongMem({}, trained, {
      ...context,
      wrap: (model) =>
        copyModel(context.name, model, {
          ...config,
          ...windowOptions(config.windowTokens ?? context.contextTokens, context),
        }),
    }),
};

/** Settings of copying and of the window. */
export type CopyOptions = Omit<CopyModel, "model"> & WindowOptions;

/**
 * A model that mixes the token after the last match into the distribution of a backbone.
 *
 * @param model Asked for its network `backbone` only.
 */
export function copyModel(
  name: string,
  model: Pick<ScoredLongMem, "score" | "choose">,
  options: CopyOptions,
): PromptedModel {
  const { copyWeight: w, shared, contextTokens, windowTokens } = options;
  const windows = windowTokens > contextTokens ? new RowWindows(options) : undefined;
  /** Text before the segment that is searched: the text that the memory would hold, and the window's. */
  const searched = {
    ...options,
    capacityTokens: options.capacityTokens + windowTokens - contextTokens,
  };
  const texts = new Map<number, CopiedText>();
  const textOf = (row: number) => {
    const key = shared ? 0 : row, text = texts.get(key) ?? new CopiedText(searched);
    texts.set(key, text);
    return text;
  };

  /** Finds the token that each position would copy [B, T]; `nothing` without a match. */
  const copiesOf = (segment: Pick<SegmentRows, "tokens" | "rows" | "lengths">) => {
    const { tokens, rows } = segment;
    const T = tokens.length / rows, copies = new Int32Array(tokens.length).fill(nothing);
    for (let row = 0; row < rows; row++) {
      copies.set(textOf(row).follow(tokensOfRow(segment, row)), row * T);
    }
    return copies;
  };
  /** Adds the window, if any: the backbone's input. */
  const show = (segment: SegmentRows) => {
    const { tokens, batch } = showRows(windows, segment);
    return { tokens, targets: segment.targets, batch: { ...batch, network: "backbone" } as const };
  };
  const mix = (nll: Float32Array, targets: Int32Array, copies: Int32Array) =>
    nll.map((nats, i) =>
      copies[i] === nothing
        ? nats
        : -Math.log((copies[i] === targets[i] ? w : 0) + (1 - w) * Math.exp(-nats))
    );
  return readingModel(name, {
    startDocument(row) {
      texts.delete(row);
      windows?.forget(row);
      return Promise.resolve();
    },
    read(segment) {
      for (let row = 0; row < segment.rows; row++) textOf(row).read(tokensOfRow(segment, row));
      windows?.add(segment);
      return Promise.resolve();
    },
    async score(segment) {
      const { tokens, targets, batch } = show(segment), copies = copiesOf(segment);
      return mix(await model.score(tokens, targets, batch), targets, copies);
    },
    async ask(segment) {
      const { tokens, targets, batch } = show(segment), copies = copiesOf(segment);
      const { nll, choices, ranks } = await model.choose(tokens, targets, batch);
      const ofCopies = ranks &&
        await model.score(tokens, copies.map((id) => Math.max(0, id)), batch);
      return {
        nll: mix(nll, targets, copies),
        choices: choices.map((choice, i) => copies[i] === nothing ? choice : copies[i]),
        ...(ranks && {
          ranks: ranks.map((rank, i) => {
            if (copies[i] === nothing) return rank;
            if (copies[i] === targets[i]) return 1;
            // The copied token comes before all; where it was behind the target, it has passed it.
            return ofCopies![i] >= nll[i] ? rank + 1 : rank;
          }),
        }),
      };
    },
  });
}

/** In the place of an id: nothing matches. */
const nothing = -1;

type MatchOptions = Pick<CopyModel, "capacityTokens" | "minMatchTokens" | "maxMatchTokens">;

/** Position and id of the token that followed last, by the sequence before it. */
type Following = Map<string, { readonly position: number; readonly id: number }>;

/** A text, and where in it each sequence of few tokens was followed last. */
class CopiedText {
  readonly #options: MatchOptions;
  /** The last tokens that were read, at most as many as are matched. */
  #last: number[] = [];
  /** Tokens that were read. */
  #length = 0;
  readonly #following: Following = new Map();

  constructor(options: MatchOptions) {
    this.#options = options;
  }

  read(tokens: Int32Array): void {
    this.#walk(tokens, this.#following, () => {});
    const { maxMatchTokens } = this.#options;
    this.#last = [...this.#last, ...tokens].slice(-maxMatchTokens);
    this.#length += tokens.length;
  }

  /** Finds the copied token at each of some tokens after the text, or `nothing`; leaves the text unchanged. */
  follow(tokens: Int32Array): Int32Array {
    const copies = new Int32Array(tokens.length).fill(nothing);
    const window: Following = new Map();
    const { minMatchTokens, maxMatchTokens, capacityTokens } = this.#options;
    this.#walk(tokens, window, (i, before) => {
      for (let n = Math.min(maxMatchTokens, before.length); n >= minMatchTokens; n--) {
        const key = before.slice(-n).join(" ");
        const found = window.get(key) ?? this.#following.get(key);
        // The match must be visible, too, as the copied token is.
        if (!found || found.position - n < this.#length - capacityTokens) continue;
        copies[i] = found.id;
        return;
      }
    });
    return copies;
  }

  /** Goes through tokens that follow the text, records each sequence's next token, and calls back at each with the tokens up to it. */
  #walk(
    tokens: Int32Array,
    following: Following,
    visit: (i: number, before: readonly number[]) => void,
  ): void {
    const { minMatchTokens, maxMatchTokens } = this.#options;
    let before = this.#last, position = this.#length;
    tokens.forEach((id, i) => {
      for (let n = minMatchTokens; n <= Math.min(maxMatchTokens, before.length); n++) {
        following.set(before.slice(-n).join(" "), { position, id });
      }
      before = [...before, id].slice(-maxMatchTokens);
      position++;
      visit(i, before);
    });
  }
}

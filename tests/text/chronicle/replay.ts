/**
 * A second reader of chronicles, for tests: it knows the sentences by their words, and nothing of how they were
 * written.
 */
import type { Recall } from "../../../src/text/chronicle/recall.ts";
import { vocabulary } from "../../../src/text/chronicle/vocabulary.ts";

/** A mention of a fact. */
export interface Mention {
  readonly kind: Recall["kind"];
  readonly entity: string;
  readonly relation: string;
  readonly value: string;
  /** Position of the value. */
  readonly position: number;
}

const cues: Readonly<Record<string, { readonly kind: Recall["kind"]; readonly relation: string }>> =
  {
    "came-from": { kind: "person", relation: "home" },
    "hailed-from": { kind: "person", relation: "home" },
    "was-a": { kind: "person", relation: "trade" },
    "worked-as": { kind: "person", relation: "trade" },
    "kept": { kind: "person", relation: "thing" },
    "owned": { kind: "person", relation: "thing" },
    "carried": { kind: "ship", relation: "cargo" },
    "obeyed": { kind: "ship", relation: "captain" },
    "sought": { kind: "ship", relation: "goal" },
    "Sentiment:": { kind: "label", relation: "label" },
    "bearing": { kind: "opening", relation: "cargo" },
    "obeying": { kind: "opening", relation: "captain" },
    "seeking": { kind: "opening", relation: "goal" },
  };

/** All mentions of facts in a book, in order. */
export function mentionsOf(tokens: Int32Array): Mention[] {
  const said = Array.from(tokens, (id) => vocabulary[id]);
  const mentions: Mention[] = [];
  let rested = "";
  said.forEach((word, i) => {
    if (word === "rested") rested = said[i + 1];
    const cue = cues[word];
    if (cue === undefined) return;
    const { kind, relation } = cue;
    switch (kind) {
      case "label": // "was GOOD Sentiment: LABEL"
        mentions.push({ kind, relation, entity: said[i - 1], value: said[i + 1], position: i + 1 });
        break;
      case "opening": // "bearing CARGO"
        mentions.push({ kind, relation, entity: rested, value: said[i + 1], position: i + 1 });
        break;
      default: // "came-from NAME HOME"
        mentions.push({ kind, relation, entity: said[i + 1], value: said[i + 2], position: i + 2 });
    }
  });
  return mentions;
}

/** The recalls of a book by what it says: every mention but the first of each fact. */
export function recallsOf(tokens: Int32Array): Recall[] {
  const last = new Map<string, number>();
  const recalls: Recall[] = [];
  for (const { kind, entity, relation, value, position } of mentionsOf(tokens)) {
    const fact = `${entity} ${relation}`, lastMention = last.get(fact);
    last.set(fact, position);
    if (lastMention === undefined) continue;
    recalls.push({
      kind,
      position,
      answer: vocabulary.indexOf(value),
      entity: vocabulary.indexOf(entity),
      lastMention,
      distance: position - lastMention,
    });
  }
  return recalls;
}

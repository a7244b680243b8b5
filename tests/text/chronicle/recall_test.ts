import { writeBooks } from "../../../src/text/chronicle/book.ts";
import { defaultChronicle } from "../../../src/text/chronicle/config.ts";
import { isFar, segmentStart } from "../../../src/text/chronicle/recall.ts";
import { vocabulary } from "../../../src/text/chronicle/vocabulary.ts";
import { cutDocument } from "../../../src/text/segments.ts";
import { assert, test } from "../../testing.ts";
import { mentionsOf } from "./replay.ts";
import { type GuessAccuracy, measureShortcuts } from "./shortcuts.ts";

const T = defaultChronicle.contextTokens;

test("segmentStart() is where the segment that predicts a token begins", () => {
  const tokens = Int32Array.from({ length: 12 }, (_, i) => 100 + i);
  const { segments } = cutDocument({ name: "a", tokens, words: 1 }, { contextTokens: 4, pad: 1 });
  for (const segment of segments) {
    for (let t = 0; t < segment.targetTokens; t++) {
      assert.equal(segmentStart(segment.targets[t] - 100, 4), segment.tokens[0] - 100);
    }
  }
});

test("isFar() is whether the segment lacks the fact, at every recall", () => {
  for (const { tokens, recalls } of writeBooks(defaultChronicle, { seed: "far", count: 8 })) {
    const mentions = mentionsOf(tokens);
    const relations = new Map(mentions.map(({ position, relation }) => [position, relation]));
    let far = 0;
    for (const recall of recalls) {
      const start = segmentStart(recall.position, T);
      const seen = mentions.some(({ entity, relation, position }) =>
        entity === vocabulary[recall.entity] && relation === relations.get(recall.position) &&
        position >= start && position < recall.position
      );
      assert.equal(isFar(recall, T), !seen);
      if (!seen) far++;
    }
    assert.ok(far > 250, `only ${far} far recalls`);
  }
});

test("What knows nothing of the entity guesses far recalls no better than chance", () => {
  const accuracies = measureShortcuts(
    writeBooks(defaultChronicle, { seed: "measured", count: 160 }),
    writeBooks(defaultChronicle, { seed: "learned from", count: 160 }),
    T,
  );
  const find = (name: string, kind: string, far: boolean): GuessAccuracy =>
    accuracies.find((found) => found.name === name && found.kind === kind && found.far === far)!;
  for (const { name, kind, far, accuracy, chance } of accuracies) {
    if (!far || name === "latest of class in book") continue;
    const message = `${name}: ${accuracy} of far ${kind} recalls, chance is ${chance}`;
    assert.ok(accuracy < chance + (kind === "label" ? 0.025 : 0.012), message);
  }
  // Near recalls have the shortcut on which backbones live before they look entities up; the test above would be
  // of no use if the guesses themselves were useless.
  const near = (kind: string) => find("latest of class in segment", kind, false).accuracy;
  assert.ok(near("person") > 0.45 && near("person") < 0.6, `person: ${near("person")}`);
  assert.ok(near("label") > 0.55 && near("label") < 0.7, `label: ${near("label")}`);
  // There is one ship at a time: by the latest value of its class, were it in reach, it would be known.
  assert.equal(near("ship"), 1);
  assert.equal(find("latest of class in book", "opening", true).accuracy, 1);
  const latest = (kind: string) => find("latest of class in book", kind, true).accuracy;
  assert.ok(latest("person") < 0.15 && latest("label") < 0.25);
});

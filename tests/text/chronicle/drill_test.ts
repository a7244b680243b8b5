import { defaultChronicle } from "../../../src/text/chronicle/config.ts";
import { writeDrill } from "../../../src/text/chronicle/drill.ts";
import { isFar, type Recall } from "../../../src/text/chronicle/recall.ts";
import { idOf, idsOf } from "../../../src/text/chronicle/vocabulary.ts";
import { assert, test } from "../../testing.ts";

const drills = Array.from(
  { length: 40 },
  (_, i) => writeDrill(defaultChronicle, `drill test/${i}`),
);

test("writeDrill() writes the same drill of the same seed, and another of another", () => {
  const { text: _, ...plain } = drills[3];
  const { text: __, ...again } = writeDrill(defaultChronicle, "drill test/3");
  assert.deepEqual(again, plain);
  assert.notDeepEqual(drills[3].tokens, drills[4].tokens);
});

test("Drills mix songs, rolls and facts as configured, by scenes of equal length", () => {
  const tokens = { song: 0, roll: 0, facts: 0 };
  for (const drill of drills) {
    assert.ok(drill.tokens.length > 16 * 160 && drill.tokens.length < 16 * 240);
    for (const line of drill.text().trim().split("\n")) {
      const length = line.split(" ").length;
      if (line.startsWith("song ")) tokens.song += length;
      else if (line.startsWith("roll ")) tokens.roll += length;
      else tokens.facts += length;
    }
  }
  const all = tokens.song + tokens.roll + tokens.facts;
  // By tokens rolls have more than their share of scenes: the last of a scene is given to its end.
  const expected = { song: 0.1, roll: 0.41, facts: 0.49 };
  for (const [kind, share] of Object.entries(expected)) {
    const found = tokens[kind as keyof typeof tokens] / all;
    assert.ok(Math.abs(found - share) < 0.05, `${kind}: ${found}, not ${share}`);
  }
});

test("A song is one phrase, a roll the same pairs in other orders, three to six times", () => {
  let reordered = 0, rolls = 0;
  for (const drill of drills) {
    const lines = drill.text().trim().split("\n");
    for (let i = 0; i < lines.length;) {
      const content = (line?: string) => {
        const words = line?.split(" ").slice(1, -1) ?? [];
        if (!line?.startsWith("roll ")) return line;
        const pairs = Array.from(
          { length: words.length / 2 },
          (_, j) => `${words[2 * j]} ${words[2 * j + 1]}`,
        );
        return pairs.sort().join(", ");
      };
      const kind = lines[i].split(" ")[0];
      let end = i + 1;
      while (content(lines[end]) === content(lines[i])) end++;
      if (kind === "song" || kind === "roll") {
        assert.ok(end - i >= 3 && end - i <= 6, `${lines[i]}: ${end - i} times`);
        const words = lines[i].split(" ").length - 2;
        if (kind === "song") assert.ok(words >= 4 && words <= 12);
        else assert.ok(words >= 8 && words <= 20);
      }
      if (kind === "roll") {
        rolls++;
        if (lines[i] !== lines[i + 1]) reordered++;
      }
      i = end;
    }
  }
  assert.ok(rolls > 300 && reordered / rolls > 0.9, `${reordered} of ${rolls} rolls`);
});

test("Recalls of drills are right, and most are near", () => {
  let far = 0, all = 0;
  for (const { tokens, recalls } of drills) {
    for (const recall of recalls) {
      assert.equal(tokens[recall.position], recall.answer);
      assert.equal(tokens[recall.lastMention], recall.answer);
      assert.equal(nameAt(tokens, recall, recall.position), recall.entity);
      assert.equal(nameAt(tokens, recall, recall.lastMention), recall.entity);
      // Facts change with the scene, so none reaches back further than a scene.
      assert.ok(recall.distance > 0 && recall.distance < 260, `${recall.distance}`);
      all++;
      if (isFar(recall, defaultChronicle.contextTokens)) far++;
    }
  }
  assert.ok(all / drills.length > 300 && far / all < 0.25, `${far} of ${all} recalls are far`);
});

test("Drills tell of ships as configured, in openings after they rested too", () => {
  const sentences = drills.flatMap((drill) => drill.text().trim().split("\n"));
  const openings = sentences.filter((line) => line.startsWith("chapter ")).length;
  const told = sentences.filter((line) => /^(?!roll|song)\S+ [A-Z]+ \S+ \.$/.test(line)).length;
  assert.ok(openings > 500, `${openings} openings`);
  assert.ok(Math.abs(openings / (openings + told) - 0.3) < 0.03, `${openings} beside ${told}`);
  const { drill } = defaultChronicle;
  const without = writeDrill({ ...defaultChronicle, drill: { ...drill, openingShare: 0 } }, 1);
  assert.ok(!without.text().includes("chapter"));
});

/**
 * Id of the name to which a value at a position belongs: the word before, in a review the one before that, in an opening
 * that of the ship that rested.
 */
function nameAt(tokens: Int32Array, { kind }: Recall, position: number): number {
  if (kind === "label") return tokens[position - 2];
  if (!openingCues.includes(tokens[position - 1])) return tokens[position - 1];
  return tokens[tokens.lastIndexOf(rested, position) + 1];
}

const openingCues = idsOf("bearing obeying seeking"), rested = idOf("rested");

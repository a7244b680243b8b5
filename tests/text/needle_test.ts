import { defaultChronicle } from "../../src/text/chronicle/config.ts";
import { formatText } from "../../src/text/chronicle/tokenizer.ts";
import { relations, wordIds } from "../../src/text/chronicle/vocabulary.ts";
import {
  chronicleWording,
  englishWording,
  mostNeedles,
  type NeedleText,
  writeNeedleTexts,
} from "../../src/text/needle.ts";
import { assert, test } from "../testing.ts";
import { characterTokenizer } from "./characters.ts";

const characters = characterTokenizer(128);

const options = { distances: [40, 300, 700], instances: 3, contextTokens: 128, seed: 5 };
const wordings = {
  chronicle: { wording: chronicleWording(defaultChronicle.sentence), slack: 8 },
  english: { wording: englishWording(characters), slack: 50 },
};

/** All that a model gets to see before it answers. */
function seen({ reading, prompts }: NeedleText, i: number): number[] {
  const { tokens, scored } = prompts[i];
  return [...reading.flatMap((segment) => [...segment]), ...tokens.slice(0, -scored)];
}

function occurrences(tokens: readonly number[], part: readonly number[]): number[] {
  return tokens.flatMap((_, i) => part.every((id, j) => tokens[i + j] === id) ? [i] : []);
}

for (const [name, { wording, slack }] of Object.entries(wordings)) {
  test(`writeNeedleTexts() tells each fact once, at its distance, in the ${name}'s words`, () => {
    const texts = writeNeedleTexts({ ...options, wording, needles: [1, 5] });
    assert.equal(texts.length, 3 * 3 + 3 * 1);
    const asked = new Map<string, number>();
    const length = texts[0].reading.length;
    for (const text of texts) {
      assert.equal(text.reading.length, length, "all texts have one length");
      assert.equal(text.reading[0][0], wording.bos);
      assert.equal(text.prompts.length, text.needles);
      for (const [i, question] of text.prompts.entries()) {
        const { distance, actualDistance, places, tokens, scored } = question;
        const before = seen(text, i), answer = [...tokens.slice(-scored)];
        // The question's last token stands before the value where the fact is told.
        const [told, ...again] = occurrences(before, [before.at(-1)!, ...answer]);
        assert.deepEqual(again, [], "the fact is told once");
        assert.equal(before.length - (told + 1), actualDistance);
        const beyond = text.needles === 1 ? slack : slack + 2 * 45;
        assert.ok(actualDistance >= distance && actualDistance < distance + beyond);
        // What is read holds the value where `places` say, unless it is in the prompt.
        const read = before.slice(0, length * 128);
        assert.deepEqual(places.map((place) => read[place]), answer.slice(0, places.length));
        const expected = answer.map((_, j) => told + 1 + j).filter((place) => place < read.length);
        assert.deepEqual(places, expected);
        assert.ok(tokens.length - 1 <= 128, "a prompt fits the window");
        if (text.needles === 1) assert.equal(places.length > 0, distance > 128);
        const key = `${text.needles} ${distance}`;
        asked.set(key, (asked.get(key) ?? 0) + 1);
      }
      assert.ok(text.reading.every((segment) => segment.length === 128));
    }
    // One fact: every distance once in an instance; five: 40 and 300 twice.
    assert.deepEqual(Object.fromEntries(asked), {
      "1 40": 3,
      "1 300": 3,
      "1 700": 3,
      "5 40": 6,
      "5 300": 6,
      "5 700": 3,
    });
  });
}

test("writeNeedleTexts() fills the chronicle with sentences about no person and no value", () => {
  const { wording } = wordings.chronicle;
  const values = new Set(
    ["home", "trade", "thing"].flatMap((relation) =>
      wordIds[relations[relation as "home"].values] as readonly number[]
    ),
  );
  const persons = new Set<number>(wordIds.persons);
  const [text] = writeNeedleTexts({ ...options, wording, needles: [mostNeedles] });
  const told = text.reading.flatMap((segment) => [...segment]);
  const local = [...text.prompts[0].tokens.slice(0, -3)];
  const all = [...told, ...local];
  assert.equal(all.filter((id) => persons.has(id)).length, mostNeedles);
  assert.equal(all.filter((id) => values.has(id)).length, mostNeedles);
  assert.equal(new Set(all.filter((id) => persons.has(id))).size, mostNeedles);
  // A question repeats the name, with one of the relation's cues.
  const { tokens } = text.prompts[0];
  assert.match(
    formatText(tokens.slice(-3)),
    /^(came-from|hailed-from|was-a|worked-as|kept|owned) \S+ \S+$/,
  );
});

test("writeNeedleTexts() asks for pass keys in plain English", () => {
  const { wording } = wordings.english;
  const [one, ...others] = writeNeedleTexts({ ...options, wording, needles: [1, 2] });
  const text = characters.decode(seen(one, 0));
  assert.match(text, / The pass key is (\d{5})\. Remember it\. .* The pass key is$/s);
  assert.equal(text.match(/\d/g)!.length, 5);
  const two = others.find(({ needles }) => needles === 2)!;
  const owner = / The pass key of (\w+) is$/.exec(characters.decode(seen(two, 0)))![1];
  const answer = characters.decode(two.prompts[0].tokens.slice(-6));
  assert.ok(
    characters.decode(seen(two, 0)).includes(` The pass key of ${owner} is${answer}. Remember it.`),
  );
});

test("writeNeedleTexts() draws other texts from another seed, and the same from the same", () => {
  const { wording } = wordings.chronicle;
  const write = (seed: number) => writeNeedleTexts({ ...options, wording, needles: [1], seed });
  assert.deepEqual(write(5), write(5));
  const answers = (texts: readonly NeedleText[]) =>
    texts.map(({ prompts: [p] }) => p.tokens.at(-1));
  assert.notDeepEqual(answers(write(5)), answers(write(6)));
  assert.ok(new Set(answers(write(5))).size > 3, "instances have facts of their own");
});

test("writeNeedleTexts() begins with a token of its own, before the farthest fact", () => {
  // Facts of five tokens among fillers of one: a fact told 18 tokens before fills 18 of the 8 + 10 that one segment gives.
  const statement = [9, 10, 20, 8, 8];
  const exact = {
    bos: 0,
    facts: () => [{ statement, answerStart: 2, question: [9, 10], answer: [20] }],
    filler: () => [4],
  };
  const write = (distance: number) =>
    writeNeedleTexts({
      wording: exact,
      distances: [distance],
      needles: [1],
      instances: 1,
      contextTokens: 10,
      seed: 1,
    })[0];
  assert.deepEqual(seen(write(17), 0).slice(0, 6), [0, ...statement]);
  assert.equal(write(17).reading.length, 1);
  const longer = write(18);
  assert.equal(longer.reading.length, 2);
  assert.deepEqual(seen(longer, 0).slice(10, 15), statement);
  assert.equal(longer.prompts[0].actualDistance, 18);
});

test("writeNeedleTexts() refuses a window that is shorter than a question", () => {
  const { wording } = wordings.chronicle;
  writeNeedleTexts({ ...options, wording, needles: [1], contextTokens: 2 });
  assert.throws(
    () => writeNeedleTexts({ ...options, wording, needles: [1], contextTokens: 1 }),
    /^RangeError: Cannot ask for a fact as contextTokens must hold .* current value is 1, allowed are 2 and more$/,
  );
});

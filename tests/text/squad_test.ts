import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { readSquad } from "../../src/text/squad.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, sharedPath, sharedTest, test } from "../testing.ts";

const article = (title: string, answer = "rain") => ({
  title,
  paragraphs: [
    {
      context: `In ${title} rain falls.`,
      qas: [{
        id: `${title}-1`,
        question: "What?",
        answers: [{ text: answer }, { text: "rain falls" }],
      }],
    },
    { context: "Nobody asks.", qas: [] },
  ],
});
const titles = ["Oslo", "Lima", "Rome", "Cairo"];
const questions = { version: "1.1", data: titles.map((title) => article(title)) };

const readTitles = async (folder: string) => {
  const { demonstrations, evaluated } = await readSquad(folder);
  return [demonstrations, evaluated].map((part) => part.map(({ title }) => title));
};

test("readSquad() reads paragraphs with questions, in the parts that a file declares", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/dev-v1.1.json`, JSON.stringify(questions));
    const split = { note: "", demonstrations: ["Rome", "Oslo"], evaluation: ["Lima", "Cairo"] };
    await Deno.writeTextFile(`${folder}/dev-article-split.json`, JSON.stringify(split));
    const { demonstrations, evaluated, hash } = await readSquad(folder);
    assert.deepEqual(demonstrations.map(({ title }) => title), ["Oslo", "Rome"]);
    assert.deepEqual(evaluated[0], {
      title: "Lima",
      context: "In Lima rain falls.",
      questions: [{ id: "Lima-1", question: "What?", answers: ["rain", "rain falls"] }],
    });
    // The same questions in other parts are other data.
    await Deno.writeTextFile(
      `${folder}/dev-article-split.json`,
      JSON.stringify({ demonstrations: ["Oslo"], evaluation: ["Rome", "Lima", "Cairo"] }),
    );
    assert.notEqual((await readSquad(folder)).hash, hash);
  });
});

test("readSquad() draws the parts where no file declares them, and reads compressed questions", async () => {
  await withFolder(async (folder) => {
    const compressed = await promisify(gzip)(JSON.stringify(questions));
    await Deno.writeFile(`${folder}/dev-v1.1.json.gz`, compressed);
    const [shown, asked] = await readTitles(folder);
    assert.equal(shown.length, 2);
    assert.deepEqual([...shown, ...asked].sort(), [...titles].sort());
    // Always the same, in whatever order the articles stand.
    const reversed = { ...questions, data: questions.data.toReversed() };
    await Deno.writeTextFile(`${folder}/dev-v1.1.json`, JSON.stringify(reversed));
    assert.deepEqual((await readTitles(folder))[0], shown.toReversed());
    await Deno.remove(`${folder}/dev-v1.1.json`);
    await Deno.writeFile(`${folder}/dev-v1.1.json.gz`, compressed.subarray(0, 40));
    await assert.rejects(
      readSquad(folder),
      /^TypeError: Cannot read ".*\.gz" as its gzip data is cut off or damaged/,
    );
  });
});

const refused: [name: string, questions: unknown, split: unknown, message: RegExp][] = [
  ["no JSON", "{", undefined, /^SyntaxError: Cannot read ".*dev-v1.1.json" as it is not JSON: /],
  [
    "no articles",
    { version: "1.1" },
    undefined,
    /^SyntaxError: Cannot read ".*dev-v1.1.json" as data is wrong: /,
  ],
  [
    "a single article",
    { data: [article("Oslo")] },
    undefined,
    /as data is wrong: must have two articles, one for each part$/,
  ],
  [
    "a question without an answer",
    {
      data: [article("Oslo"), {
        title: "Lima",
        paragraphs: [{ context: "x", qas: [{ id: "1", question: "Who?", answers: [] }] }],
      }],
    },
    undefined,
    /as data.1.paragraphs.0.qas.0.answers is wrong: must have an answer$/,
  ],
  [
    "a question without words",
    {
      data: [article("Oslo"), {
        title: "Lima",
        paragraphs: [{ context: "x", qas: [{ id: "1", question: " ", answers: [{ text: "x" }] }] }],
      }],
    },
    undefined,
    /as data.1.paragraphs.0.qas.0.question is wrong: must be text that is not empty$/,
  ],
  [
    "an answer that is not in the paragraph",
    { data: [article("Oslo"), article("Lima", "snow")] },
    undefined,
    /^RangeError: Cannot read .* as the answers of question "Lima-1" must be in its paragraph: current value is "snow"$/,
  ],
  [
    "an id twice",
    { data: [article("Oslo"), article("Oslo")] },
    undefined,
    /^RangeError: Cannot read .* as two questions have the id "Oslo-1"$/,
  ],
  [
    "an article in both parts",
    questions,
    { demonstrations: ["Oslo", "Rome"], evaluation: ["Lima", "Cairo", "Rome"] },
    /^RangeError: Cannot divide SQuAD by ".*split.json" as each article must be in one part: current number of parts of "Rome" is 2$/,
  ],
  [
    "an article in no part",
    questions,
    { demonstrations: ["Oslo", "Rome"], evaluation: ["Lima"] },
    /current number of parts of "Cairo" is 0$/,
  ],
  [
    "an empty part",
    questions,
    { demonstrations: titles, evaluation: ["Paris"] },
    /^RangeError: Cannot divide SQuAD by .* as no article is in evaluation$/,
  ],
  [
    "a split without parts",
    questions,
    { demonstrations: titles },
    /^SyntaxError: Cannot read ".*split.json" as evaluation is wrong: /,
  ],
];

for (const [name, file, split, message] of refused) {
  test(`readSquad() refuses ${name}`, async () => {
    await withFolder(async (folder) => {
      const text = typeof file === "string" ? file : JSON.stringify(file);
      await Deno.writeTextFile(`${folder}/dev-v1.1.json`, text);
      if (split) {
        await Deno.writeTextFile(`${folder}/dev-article-split.json`, JSON.stringify(split));
      }
      await assert.rejects(readSquad(folder), message);
    });
  });
}

test("readSquad() says which file is missing", async () => {
  await withFolder(async (folder) => {
    await assert.rejects(readSquad(folder), {
      name: "NotFound",
      message:
        `Cannot read SQuAD as neither "${folder}/dev-v1.1.json" nor "${folder}/dev-v1.1.json.gz" is there`,
    });
  });
});

sharedTest("readSquad() reads the whole development set in its two parts", async () => {
  const { demonstrations, evaluated } = await readSquad(sharedPath("data/squad"));
  const counts = [demonstrations, evaluated].map((part) => [
    new Set(part.map(({ title }) => title)).size,
    part.reduce((sum, { questions }) => sum + questions.length, 0),
  ]);
  assert.deepEqual(counts, [[24, 4961], [24, 5609]]);
  assert.equal(demonstrations.length + evaluated.length, 2067);
});

import { loadLongMem, openTokenizer, rememberDocument } from "@longmem/lab";
import { buildPage } from "../../examples/browser/build.ts";
import { chromium, chromiumTest, isChromiumRequired } from "../results/chromium.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath } from "../testing.ts";
import { type Page, serveFolders, withPage } from "./browser.ts";
import type { AccessibleNode } from "./puppeteer.d.ts";

/** Waits until the page has done what it was asked for. */
async function idle(page: Page): Promise<void> {
  await page.waitForFunction(
    "'ready' in document.body.dataset && !document.getElementById('read').disabled",
  );
}

function textOf(page: Page, id: string): Promise<string> {
  return page.evaluate((id: string) => {
    const { document } = globalThis as unknown as {
      document: { getElementById(id: string): { textContent: string } };
    };
    return document.getElementById(id).textContent.replaceAll("\u00a0", " ");
  }, id);
}

/** Probabilities of a word in the table of the answer, with the memory and without. */
async function probabilitiesOf(page: Page, word: string): Promise<number[]> {
  const rows = await page.evaluate<string[][]>(
    "[...document.querySelectorAll('#answer tbody tr')].map((row) => [...row.children].map((cell) => cell.textContent))",
  );
  const [, ...shares] = rows.find(([first]) => first === word) ?? [];
  return shares.map((text) => parseFloat(text) / 100);
}

/** Asks the sentence that the page shows, by the keyboard alone. */
async function ask(page: Page): Promise<void> {
  await page.focus("#question");
  await page.keyboard.press("Enter");
  await idle(page);
}

/** Roles and names of all that has one. */
function namesIn({ role, name, children = [] }: AccessibleNode): string[] {
  return [...(name ? [`${role} ${name}`] : []), ...children.flatMap(namesIn)];
}

const built = await Deno.makeTempDir();
globalThis.addEventListener("unload", () => Deno.removeSync(built, { recursive: true }));
if (chromium || isChromiumRequired) await buildPage(built);

chromiumTest(
  "the page of examples/browser answers from a book that it has read, offline too",
  async () => {
    await using server = serveFolders({ "/": `${built}/` });
    await withPage(async (page, errors) => {
      await page.goto(server.origin);
      await idle(page);
      assert.match(await textOf(page, "status"), /^Ready, on WebAssembly/);

      // Nothing has been read: the memory is empty, and the model knows as little as its backbone.
      await ask(page);
      assert.match(await textOf(page, "answer"), /The memory is empty/);
      const [, fact] = /The book says: (\w+)\./.exec(await textOf(page, "answer"))!;
      const [before = 0] = await probabilitiesOf(page, fact);
      assert.ok(before < 0.3, `${fact} has ${before} before anything was read`);

      await page.focus("#read");
      await page.keyboard.press("Enter");
      await idle(page);
      assert.match(await textOf(page, "status"), /^5007 words have been read/);
      await ask(page);
      const [remembered, alone = 0] = await probabilitiesOf(page, fact);
      assert.ok(remembered > 0.8 && alone < 0.3, `${fact} has ${remembered}, ${alone} without`);
      assert.match(await textOf(page, "sentence"), new RegExp(` ${fact}$`));
      const passages = await page.evaluate<string[]>(
        "[...document.querySelectorAll('#answer li div:first-child')].map((item) => item.textContent)",
      );
      assert.ok(passages[0].includes(fact), passages[0]);
      // Of a sentence longer than the window all unknown words are named.
      const long = `never ${"the ridrel ".repeat(70)} heard kept Kokund`;
      await page.evaluate(`document.getElementById('question').value = '${long}'`);
      await ask(page);
      assert.match(await textOf(page, "answer"), /The model does not know: never, heard\./);
      assert.equal(await textOf(page, "problem"), "");

      // What is read aloud of the controls and of the figure.
      const names = namesIn((await page.accessibility.snapshot())!);
      for (
        const expected of [
          ...["combobox Engine", "textbox The book (you may edit it)"],
          ...["button Read it into the memory", "progressbar Read so far"],
          "combobox A sentence of the book, without its last word",
          "textbox The sentence to complete (you may edit it)",
          ...[
            "button Complete it",
            "button Save the memory as a file",
            "button Open a memory file",
          ],
        ]
      ) assert.ok(names.some((name) => name.startsWith(expected)), `${expected}: ${names}`);
      assert.ok(names.some((name) => /^image Where the passages lie among 5007/.test(name)));

      await page.setViewport({ width: 360, height: 800 });
      const isTooWide = "document.documentElement.scrollWidth > innerWidth";
      assert.equal(await page.evaluate(isTooWide), false);

      // Without its server the page comes from what was kept.
      await server[Symbol.asyncDispose]();
      await page.reload();
      await idle(page);
      assert.match(await textOf(page, "status"), /^Ready, on WebAssembly/);
      assert.deepEqual(errors, []);
    });
  },
);

/** A memory of one fact, written by the library in Deno. */
async function memoryOfAFact(): Promise<Uint8Array> {
  const data = repositoryPath("data/chronicle");
  const tokenizer = await openTokenizer({ kind: "chronicle" });
  await using model = await loadLongMem({
    backbone: `${data}/backbone`,
    sidenet: `${data}/sidenet`,
    device: "cpu",
  });
  const text = "kept Kokund steimip . " + "the pefol of the ridrel zapeed . ".repeat(40);
  const ids = Int32Array.from(tokenizer.encode(text));
  await rememberDocument(model, ids, { contextTokens: 128 });
  return await model.memoryBytes({ tokenizer });
}

chromiumTest(
  "the page of examples/browser opens a memory of Deno on WebGPU, and refuses others",
  () =>
    withFolder(async (folder) => {
      await Deno.writeFile(`${folder}/fact.memory`, await memoryOfAFact());
      await Deno.writeTextFile(`${folder}/other.memory`, "no memory");
      await using server = serveFolders({ "/": `${built}/` });
      await withPage(async (page) => {
        // There is room to keep the page, and none for an engine.
        const quota = { origin: server.origin, quotaSize: 8e6 };
        await (await page.createCDPSession()).send("Storage.overrideQuotaForOrigin", quota);
        await page.goto(server.origin);
        await idle(page);
        await page.focus("#device");
        await page.keyboard.type("WebGPU");
        await idle(page);
        assert.match(await textOf(page, "status"), /^Ready, on google swiftshader/);
        const input = (await page.$("#open"))!;
        await input.uploadFile(`${folder}/other.memory`);
        await idle(page);
        assert.match(await textOf(page, "problem"), /^Cannot read "the bytes of a memory" as/);
        await input.uploadFile(`${folder}/fact.memory`);
        await idle(page);
        assert.match(await textOf(page, "status"), /^The memory of fact.memory is open: 284 words/);
        assert.equal(await textOf(page, "problem"), "");
        await page.evaluate("document.getElementById('question').value = 'that day kept Kokund'");
        await ask(page);
        const [remembered, alone = 0] = await probabilitiesOf(page, "steimip");
        assert.ok(remembered > 0.8 && alone < 0.3, `steimip has ${remembered}, ${alone} without`);
        // A file may be opened again.
        assert.equal(await page.evaluate("document.getElementById('open').value"), "");
      });
    }),
);

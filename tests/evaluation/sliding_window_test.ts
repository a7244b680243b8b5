import type { PromptedModel, SegmentRows } from "../../src/evaluation/shared/language_model.ts";
import { scoreDocuments } from "../../src/evaluation/perplexity.ts";
import type { WindowOptions } from "../../src/evaluation/shared/row_windows.ts";
import { slidingWindowModel } from "../../src/evaluation/sliding_window.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import type { Device } from "../../src/runtime/device.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert, assertClose } from "../testing.ts";
import { smallBackbone } from "../training/small_training.ts";
import { pad, randomDocuments } from "./small_documents.ts";

const contextTokens = 4, tolerance = 1e-5;
const onCpu = { kinds: ["cpu"] } as const;

/** A backbone, and models with windows on it. */
async function withBackbone(
  device: Device,
  use: (
    backbone: LongMem,
    windowed: (options: Partial<WindowOptions> & { windowTokens: number }) => PromptedModel,
  ) => Promise<void>,
): Promise<void> {
  const backbone = new LongMem(device, { backbone: smallBackbone() });
  const windowed = (options: Partial<WindowOptions> & { windowTokens: number }) =>
    slidingWindowModel("windowed", backbone, { contextTokens, shared: false, ...options });
  await use(backbone, windowed);
  await backbone.close();
}

/** What the backbone says of a segment [T] after tokens, in one plain pass. */
async function plainPass(
  backbone: LongMem,
  before: readonly number[],
  { tokens, targets }: Pick<SegmentRows, "tokens" | "targets">,
): Promise<{ nll: number[]; choices: number[] }> {
  const given = Int32Array.of(...before, ...tokens);
  const expected = Int32Array.of(...before, ...targets); // what stands before the segment's is not looked at
  const { nll, choices } = await backbone.choose(given, expected, { network: "backbone" });
  return { nll: [...nll.slice(before.length)], choices: [...choices.slice(before.length)] };
}

const [long, short, other] = randomDocuments([28, 8, 12], { contextTokens });

/** Segments side by side. */
function sideBySide(...segments: Pick<SegmentRows, "tokens" | "targets">[]): SegmentRows {
  return {
    tokens: Int32Array.from(segments.flatMap(({ tokens }) => [...tokens])),
    targets: Int32Array.from(segments.flatMap(({ targets }) => [...targets])),
    rows: segments.length,
  };
}

/** Tokens of the first segments of a document. */
function firstTokens({ segments }: typeof long, count: number): number[] {
  return segments.slice(0, count).flatMap(({ tokens }) => [...tokens]);
}

deviceTest(
  "slidingWindowModel() scores as plain passes over each row's window do",
  async (device) => {
    await withBackbone(device, async (backbone, windowed) => {
      for (const windowTokens of [4, 8, 18, 28]) {
        const model = windowed({ windowTokens });
        await model.startDocument(0, 0);
        for (let i = 0; i < 6; i++) {
          // Row 1 begins one document and, two segments later, the next.
          if (i === 2) await model.startDocument(1, 1);
          if (i === 4) await model.startDocument(1, 2);
          const beside = i < 2 ? undefined : i < 4 ? short : other, j = i < 4 ? i - 2 : i - 4;
          const padding = new Int32Array(contextTokens).fill(pad);
          const second = beside?.segments[j] ?? { tokens: padding, targets: padding };
          const segment = sideBySide(long.segments[i], second);
          const { nll, choices } = await model.choose(segment);
          for (const [row, document, n] of [[0, long, i], [1, beside, j]] as const) {
            if (!document) continue;
            const before = firstTokens(document, n).slice(
              -(windowTokens - contextTokens) || Infinity,
            );
            const expected = await plainPass(backbone, before, document.segments[n]);
            const at = row * contextTokens, end = at + contextTokens;
            const name = `window ${windowTokens}, row ${row}, segment ${i}`;
            assertClose(nll.slice(at, end), expected.nll, { tolerance, name });
            assert.deepEqual([...choices.slice(at, end)], expected.choices, name);
          }
        }
      }
    });
  },
);

deviceTest(
  "slidingWindowModel() scores a document as one pass where its window holds it",
  async (device) => {
    await withBackbone(device, async (backbone, windowed) => {
      const options = { rows: 2, pad };
      const documents = [long, short, other];
      const scores = await scoreDocuments(windowed({ windowTokens: 28 }), documents, options);
      for (const [i, nats] of scores.entries()) {
        const document = documents[i];
        const tokens = Int32Array.from(firstTokens(document as typeof long, 9));
        const targets = Int32Array.of(
          ...tokens.slice(1),
          document.segments.at(-1)!.targets.at(-1)!,
        );
        const nll = await backbone.score(tokens, targets);
        assertClose([nats], [nll.reduce((sum, x) => sum + x, 0)], { tolerance: 1e-4 });
      }
      const narrow = await scoreDocuments(windowed({ windowTokens: 8 }), documents, options);
      assert.ok(Math.abs(narrow[0] - scores[0]) > 1e-2, "the window matters");
    });
  },
  onCpu,
);

deviceTest(
  "slidingWindowModel() answers prompts behind what a row has read, and forgets them",
  async (device) => {
    await withBackbone(device, async (backbone, windowed) => {
      const model = windowed({ windowTokens: 10 });
      await model.startDocument(0, 0);
      await model.startDocument(1, 1);
      // What is read is not padding, as at the end of a document; a token of the same id is read.
      const padded = { ...short.segments[0], tokens: Int32Array.of(7, pad, pad, pad) };
      const withPadding = { ...sideBySide(long.segments[0], padded), lengths: [4, 2] };
      await model.read(withPadding);
      await model.read(sideBySide(long.segments[1], short.segments[1]));
      // A prompt may be longer than a segment, and padded behind.
      const longPrompt = {
        tokens: Int32Array.from(firstTokens(other, 2)),
        targets: Int32Array.from(firstTokens(other, 3).slice(1, 9)),
      };
      const shortPrompt = {
        tokens: longPrompt.tokens.map((id, i) => i < 3 ? id : pad),
        targets: longPrompt.targets,
      };
      const first = await model.ask(sideBySide(longPrompt, shortPrompt));
      const expected = await plainPass(backbone, firstTokens(long, 2).slice(-6), longPrompt);
      assertClose(first.nll.slice(0, 8), expected.nll, { tolerance });
      assert.deepEqual([...first.choices.slice(0, 8)], expected.choices);
      const before = [7, pad, ...short.segments[1].tokens];
      const beside = await plainPass(backbone, before, shortPrompt);
      assertClose(first.nll.slice(8, 11), beside.nll.slice(0, 3), { tolerance });
      assert.deepEqual(await model.ask(sideBySide(longPrompt, shortPrompt)), first);
      // Reading and scoring leave the same behind.
      const scored = windowed({ windowTokens: 10 });
      await scored.score(withPadding);
      await scored.score(sideBySide(long.segments[1], short.segments[1]));
      assert.deepEqual(await scored.ask(sideBySide(longPrompt, shortPrompt)), first);
    });
  },
  onCpu,
);

deviceTest(
  "slidingWindowModel() asks all rows about what one has read where it is shared",
  async (device) => {
    await withBackbone(device, async (_, windowed) => {
      const asks = async (shared: boolean) => {
        const model = windowed({ windowTokens: 8, shared });
        await model.startDocument(0, 0);
        await model.read(sideBySide(long.segments[0]));
        const { nll } = await model.ask(sideBySide(other.segments[0], other.segments[0]));
        return [nll.slice(0, 4), nll.slice(4)];
      };
      const [first, second] = await asks(true);
      assertClose(second, first, { tolerance });
      const [alone, nothing] = await asks(false);
      assertClose(alone, first, { tolerance });
      assert.ok(nothing.some((nll, i) => Math.abs(nll - first[i]) > 1e-3));
    });
  },
  onCpu,
);

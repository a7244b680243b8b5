import { exportCommand } from "../../src/commands/export.ts";
import { initializeBackbone } from "../../src/backbone/initialization.ts";
import { writeBackboneFolder } from "../../src/checkpoint/folder.ts";
import { byteCharacters } from "../../src/text/byte_level_bpe.ts";
import { huggingFaceTensors, writeHuggingFace } from "../checkpoint/huggingface_folder.ts";
import { generateCommand } from "../../src/commands/generate.ts";
import { importCommand } from "../../src/commands/import.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, test } from "../testing.ts";
import { smallBackbone } from "../training/small_training.ts";
import { execute, recordedOutput } from "./recorded_output.ts";
import { tinyText, writeTinyRun } from "./tiny_run.ts";

/** A finished run and a document. */
async function withRun(
  use: (folder: string, generate: (...args: string[]) => Promise<string>) => Promise<void>,
  architecture?: string,
): Promise<void> {
  await withFolder(async (folder) => {
    await writeTinyRun(`${folder}/run`, architecture);
    await Deno.writeTextFile(`${folder}/document.txt`, tinyText);
    const generate = async (...args: string[]) => {
      const said = recordedOutput();
      const all = ["--document", `${folder}/document.txt`, "--device", "cpu", "--tokens", "12"];
      assert.equal(await execute(generateCommand(said), ...all, ...args), 0);
      // The whole document is more than the memory's 256 tokens.
      assert.match(said.notes.join("\n"), /document.txt: \d+ tokens, 256 of them in memory/);
      return said.printed.join("\n");
    };
    await use(folder, generate);
  });
}

test("generate continues a prompt from a run, the same text for the same seed", async () => {
  await withRun(async (folder, generate) => {
    const args = ["--run", `${folder}/run`, "--prompt", "The cat"];
    const first = await generate(...args);
    assert.match(first, /^The cat/);
    assert.ok(first.length > "The cat".length);
    assert.equal(await generate(...args, "--seed", "1"), first);
    assert.notEqual(await generate(...args, "--seed", "2"), first);
    const end = "flat hat, 9 mats sat; ".repeat(60);
    await Deno.writeTextFile(`${folder}/document.txt`, tinyText + end);
    assert.notEqual(await generate(...args), first, "the document is read to its end");
    const greedy = await generate(...args, "--temperature", "0");
    assert.equal(await generate(...args, "--temperature", "0", "--seed", "2"), greedy);
  });
});

test("generate takes checkpoints to the same text as the run that they are from", async () => {
  await withRun(async (folder, generate) => {
    await execute(importCommand(recordedOutput()), `${folder}/run`, "--out", `${folder}/longmem`);
    await execute(
      exportCommand(recordedOutput()),
      ...[`${folder}/longmem`, "--out", `${folder}/sidenet.safetensors`],
    );
    const parts = [
      ...["--backbone", `${folder}/longmem`, "--sidenet", `${folder}/sidenet.safetensors`],
      ...["--tokenizer", `${folder}/run/tokenizer.json`, "--context", "32"],
    ];
    const ofRun = await generate("--run", `${folder}/run`);
    assert.equal(await generate(...parts), ofRun);
    // The folder knows its tokenizer and its window.
    const longMem = `${folder}/longmem`;
    assert.equal(await generate("--backbone", longMem, "--sidenet", longMem), ofRun);
    await Deno.writeTextFile(`${folder}/longmem/tokenizer.json`, "{}");
    assert.equal(await generate(...parts), ofRun, "the one that is asked for wins");
    await assert.rejects(generate("--backbone", longMem, "--sidenet", longMem), /tokenizer\.json/);
  });
});

test("generate, import and export take a run that has trained a backbone of another architecture", async () => {
  await withRun(async (folder, generate) => {
    const run = `${folder}/run`, longMem = `${folder}/longmem`;
    const ofRun = await generate("--run", run);
    await execute(importCommand(recordedOutput()), run, "--out", longMem);
    assert.equal(await generate("--backbone", longMem, "--sidenet", longMem), ofRun);
    const exported = async (part: string) => {
      const file = `${folder}/${part}.safetensors`;
      await execute(exportCommand(recordedOutput()), run, "--what", part, "--out", file);
      return file;
    };
    const parts = [
      "--backbone",
      await exported("backbone"),
      "--sidenet",
      await exported("sidenet"),
    ];
    const rest = ["--tokenizer", `${run}/tokenizer.json`, "--context", "32"];
    assert.equal(await generate(...parts, ...rest), ofRun);
  }, "llama");
});

test("generate says what is missing or does not fit", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/document.txt`, tinyText);
    const run = (...args: string[]) => execute(generateCommand(recordedOutput()), ...args);
    const document = ["--document", `${folder}/document.txt`];
    const usage = (message: RegExp) => ({ name: "UsageError", message });
    const input = (message: RegExp) => ({ name: "InputError", message });
    await assert.rejects(run("--run", folder), usage(/neither --document nor --memory/));
    await assert.rejects(
      run(...document),
      usage(/Missing required flag --run, or else --backbone/),
    );
    const checkpoint = ["--backbone", `${folder}/b.pt`, "--sidenet", `${folder}/s.pt`];
    await assert.rejects(run(...document, ...checkpoint), input(/b\.pt" as there is no such file/));
    await writeBackboneFolder(`${folder}/b`, smallBackbone());
    await assert.rejects(
      run(...document, "--backbone", `${folder}/b`),
      usage(/Missing required flag --tokenizer, as no tokenizer lies beside ".*\/b"/),
    );
    await assert.rejects(run("text", ...document), usage(/"text" as it follows no flag/));
    await assert.rejects(
      run(...document, "--run", folder, "--sidenet", "x"),
      usage(/Cannot use --sidenet with --run/),
    );
    for (const temperature of ["-1", "warm", "", "Infinity"]) {
      await assert.rejects(
        run(...document, "--run", folder, `--temperature=${temperature}`),
        usage(/Cannot read --temperature: current value is ".*", allowed are numbers from 0/),
      );
    }
    await assert.rejects(
      run(...document, "--run", folder),
      input(/Cannot read run ".*" as "experiment.json" is missing/),
    );
    await writeTinyRun(`${folder}/run`);
    await assert.rejects(
      run(...document, "--run", `${folder}/run`, "--capacity", "15"),
      usage(/Cannot read --capacity: current value is "15", allowed are integers from 16,/),
    );
    await assert.rejects(
      run("--document", `${folder}/none.txt`, "--run", `${folder}/run`),
      { name: "InputError" },
    );
  });
});

test("generate reads a folder of Hugging Face with the tokenizer beside its model, with no token but one", async () => {
  await withFolder(async (folder) => {
    const config = {
      "model_type": "gpt2",
      "n_embd": 8,
      "n_layer": 2,
      "n_head": 2,
      "n_positions": 24,
      "vocab_size": 257,
      "bos_token_id": 256,
      "eos_token_id": 256,
    };
    const shape = {
      architecture: "gpt2",
      layers: 2,
      hiddenDim: 8,
      heads: 2,
      feedForwardDim: 32,
      vocabSize: 257,
      settings: { positions: 24 },
    };
    const model = `${folder}/model`, separator = "<|endoftext|>";
    const weights = initializeBackbone(shape, 1);
    await writeHuggingFace(model, config, huggingFaceTensors({ shape, weights }));
    const part = { type: "ByteLevel", "add_prefix_space": false };
    const write = (tokens: readonly string[]) =>
      Deno.writeTextFile(
        `${model}/tokenizer.json`,
        JSON.stringify({
          normalizer: null,
          "added_tokens": [{ id: 256, content: separator, special: true }],
          "pre_tokenizer": part,
          decoder: part,
          model: {
            type: "BPE",
            vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
            merges: [],
          },
        }),
      );
    await write([...byteCharacters, separator]);
    await Deno.writeTextFile(`${folder}/document.txt`, "a long story ".repeat(20));
    const said = recordedOutput();
    const run = (...args: string[]) =>
      execute(
        generateCommand(said),
        ...["--document", `${folder}/document.txt`, "--tokens", "40", "--device", "cpu"],
        ...args,
      );
    assert.equal(await run("--backbone", model, "--prompt", "Once"), 0);
    assert.match(said.notes.join("\n"), /no SideNet is given/);
    assert.match(said.notes.join("\n"), /document\.txt: 262 tokens, \d+ of them in memory/);
    assert.doesNotMatch(said.notes.join("\n"), /unknown/);
    assert.match(said.printed.join("\n"), /^Once/);
    assert.equal(await run("--backbone", model, "--tokenizer", model), 0);

    // A model for which every text is at its end: its last feature is the embedding of the token that says so.
    const bias = weights.get("final_norm.bias")!, embeddings = weights.get("embeddings.weight")!;
    const gain = weights.get("final_norm.weight")!;
    gain.data.fill(0);
    bias.data.set(embeddings.data.subarray(256 * 8, 257 * 8));
    embeddings.data.subarray(0, 256 * 8).fill(0);
    await writeHuggingFace(`${folder}/ended`, config, huggingFaceTensors({ shape, weights }));
    said.printed.length = 0;
    const greedy = ["--tokenizer", model, "--prompt", "Once", "--temperature", "0"];
    assert.equal(await run("--backbone", `${folder}/ended`, ...greedy), 0);
    assert.deepEqual(said.printed, ["Once"], "the token that begins a text may end one");

    // A conversation: the answer alone is shown, and the template's own tokens count.
    const template = (text: string) =>
      Deno.writeTextFile(
        `${model}/tokenizer_config.json`,
        JSON.stringify({
          "eos_token": separator,
          "bos_token": separator,
          "chat_template": text,
        }),
      );
    const chat = ["--backbone", model, "--temperature", "0", "--prompt", "Who?"];
    const answer = async (...args: string[]) => {
      said.printed.length = 0;
      assert.equal(await run(...chat, ...args), 0);
      return said.printed.join("\n");
    };
    await template(`${separator}{{ messages[0].content }}`);
    assert.equal(`Who?${await answer("--chat")}`, await answer());
    const explained = await answer("--chat", "--explain");
    assert.ok(explained.split("\n").length > 2, explained);
    assert.equal(`Who?${explained}`, await answer("--explain"));
    await template("{{ messages[0].content }} {{ messages[0].content }}");
    assert.notEqual(`Who?${await answer("--chat")}`, await answer());
    await assert.rejects(
      run("--backbone", model, "--chat"),
      /as --prompt, the user's message, is missing/,
    );
    await Deno.remove(`${model}/tokenizer_config.json`);
    await assert.rejects(
      run(...chat, "--chat"),
      /Cannot use --chat as the tokenizer ".*" has no chat template/,
    );

    await Deno.mkdir(`${folder}/other`);
    await Deno.copyFile(`${model}/tokenizer.json`, `${folder}/other/tokenizer.json`);
    await write([byteCharacters[1], byteCharacters[0], ...byteCharacters.slice(2), separator]);
    await assert.rejects(run("--backbone", model, "--tokenizer", `${folder}/other`), {
      name: "InputError",
      message:
        /as a different tokenizer lies beside them: current token 0 is "\\u0000", allowed is "\\u0001"$/,
    });
    await write([...byteCharacters, separator, "ab"]);
    await assert.rejects(run("--backbone", model), {
      name: "InputError",
      message: /vocabulary must hold the tokenizer's 258 tokens: current size is 257$/,
    });
  });
});

/** A tokenizer of 276 words `w0` ... and a few special tokens, with the settings of one kind of decoder. */
function wordTokenizer(kind: "metaspace" | "words"): string {
  const special = ["<s>", "<pad>", "</s>", "<unk>"];
  const words = Array.from({ length: 276 }, (_, i) => `w${i}`);
  const metaspace = { type: "Metaspace", replacement: "\u2581", "prepend_scheme": "always" };
  const [model, settings] = kind === "metaspace"
    ? [
      {
        type: "Unigram",
        unk_id: 3,
        vocab: [...special, ...words.map((word) => `\u2581${word}`)].map((token, i) => [token, -i]),
      },
      { pre_tokenizer: metaspace, decoder: metaspace },
    ]
    : [
      {
        type: "WordPiece",
        unk_token: "<unk>",
        continuing_subword_prefix: "##",
        vocab: Object.fromEntries([...special, ...words].map((token, id) => [token, id])),
      },
      {
        pre_tokenizer: { type: "Whitespace" },
        decoder: { type: "WordPiece", prefix: "##", cleanup: false },
      },
    ];
  return JSON.stringify({
    normalizer: null,
    post_processor: null,
    added_tokens: special.map((content, id) => ({ id, content, special: true })),
    model,
    ...settings,
  });
}

test("generate prints words apart from each other and from the prompt, and streams the same text", async () => {
  for (const kind of ["metaspace", "words"] as const) {
    await withRun(async (folder, generate) => {
      await Deno.writeTextFile(`${folder}/run/tokenizer.json`, wordTokenizer(kind));
      await Deno.writeTextFile(`${folder}/document.txt`, "w1 w2 w3 w4 ".repeat(200));
      for (const [prompt, printed] of [["w1 w2", "w1 w2 w"], ["w1 ", "w1 w"], ["", "w"]]) {
        const args = ["--run", `${folder}/run`, "--prompt", prompt];
        const whole = await generate(...args);
        assert.ok(whole.startsWith(printed), `${kind}: ${whole}`);
        const words = whole.trim().split(" ");
        assert.equal(words.length, prompt.split(" ").filter((word) => word !== "").length + 12);
        for (const word of words) assert.match(word, /^w\d+$/);

        const parts: string[] = [], said = recordedOutput();
        const streamed = generateCommand({ ...said, write: (part) => void parts.push(part) });
        const same = ["--document", `${folder}/document.txt`, "--device", "cpu", "--tokens", "12"];
        await execute(streamed, ...same, ...args);
        assert.equal(parts.join(""), `${whole}\n`);
        assert.equal(parts[0], prompt, "the prompt comes first");
        assert.ok(parts.length >= 12, "tokens come one by one");
        assert.deepEqual(said.printed, [], "nothing is printed twice");
      }
    });
  }
});

test("generate tells what of the document is read, forgotten, left out and unknown", async () => {
  await withFolder(async (folder) => {
    await writeTinyRun(`${folder}/run`); // windows of 32 tokens, a memory of 256, chunks of 4
    await Deno.writeTextFile(`${folder}/run/tokenizer.json`, wordTokenizer("metaspace"));
    const notesOf = async (text: string, ...args: string[]) => {
      await Deno.writeTextFile(`${folder}/document.txt`, text);
      const said = recordedOutput();
      const parts = ["--run", `${folder}/run`, "--document", `${folder}/document.txt`];
      const all = [...parts, "--device", "cpu", "--tokens", "1", "--prompt", "w1", ...args];
      assert.equal(await execute(generateCommand(said, 0), ...all), 0);
      return said.notes.map((note) => note.replaceAll(`${folder}/`, ""));
    };
    // With <s> and </s>: 102 tokens.
    assert.deepEqual(await notesOf("w5 ".repeat(100).trim()), [
      "document.txt: 102 tokens, 32 of them read",
      "document.txt: 102 tokens, 64 of them read",
      "document.txt: 102 tokens, 96 of them read",
      "document.txt: 102 tokens, 100 of them in memory, 2 left out as they do not fill a chunk of 4",
    ]);
    // Windows of 30 tokens are read 28 at a time, so that every chunk is whole.
    const long = await notesOf("w5 ".repeat(608).trim(), "--context", "30");
    assert.equal(
      long.at(-1),
      "document.txt: 610 tokens, 256 of them in memory, 352 forgotten, the oldest first, as the memory is full " +
        "(--capacity enlarges it), " +
        "2 left out as they do not fill a chunk of 4",
    );
    const unknown = await notesOf("w5 never w6 heard ".repeat(10).trim(), "--prompt", "nowhere w3");
    assert.equal(
      unknown[0],
      "document.txt: 42 tokens, 20 of them (48 %) unknown to the vocabulary",
    );
    assert.match(unknown.at(-1)!, /^the prompt: 2 tokens, 1 of them \(50 %\) unknown/);
  });
});

test("generate from a run without weights gives the command that makes them", async () => {
  await withFolder(async (folder) => {
    const run = `${folder}/results/tiny/tiny-1`;
    await Deno.writeTextFile(`${folder}/document.txt`, tinyText);
    const states: [state: string | undefined, message: RegExp][] = [
      [
        "completed",
        /weights\.safetensors" is missing: .*\n {2}deno task run \S*\/results\/tiny\/tiny-1 --results scratch\nand name "scratch\/tiny\/tiny-1"$/,
      ],
      [
        "interrupted",
        /current state is interrupted.*\n {2}deno task run \S*tiny-1 --results \S*results$/,
      ],
      [
        "failed",
        /current state is failed.*\n {2}deno task run \S*tiny-1 --results \S* --retry-failed$/,
      ],
      [undefined, /current state is unknown/],
    ];
    for (const missing of ["backbone", "longmem"]) {
      for (const [state, message] of states) {
        await Deno.remove(run, { recursive: true }).catch(() => undefined);
        await writeTinyRun(run);
        await Deno.remove(`${run}/checkpoint/${missing}`, { recursive: true });
        if (state) {
          const summary = {
            state,
            experiment: "tiny",
            run: "tiny-1",
            scale: "scaled-down",
            metrics: [],
          };
          await Deno.writeTextFile(`${run}/summary.json`, JSON.stringify(summary));
        }
        const generate = generateCommand(recordedOutput());
        await assert.rejects(
          execute(generate, "--run", run, "--document", `${folder}/document.txt`),
          { name: "InputError", message },
        );
      }
    }
  });
});

test("generate ends where the program that reads its output has", () =>
  withFolder(async (folder) => {
    await writeTinyRun(`${folder}/run`);
    await Deno.writeTextFile(`${folder}/cat.txt`, tinyText);
    const process = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-check", "--allow-all", repositoryPath("src/main.ts")],
        ...["generate", "--run", `${folder}/run`, "--document", `${folder}/cat.txt`],
        ...["--device", "cpu", "--prompt", "The", "--tokens", "1000000"],
      ],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    await process.stdout.cancel();
    const { code } = await process.status;
    const notes = await new Response(process.stderr).text();
    assert.equal(code, 141, notes);
    assert.doesNotMatch(notes, /[Bb]roken pipe/);
  }));

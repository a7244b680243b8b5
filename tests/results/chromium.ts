/**
 * Pages in a headless Chromium, where there is one.
 */
import { pathToFileURL } from "node:url";
import { assert, test } from "../testing.ts";

const names = ["chromium", "chromium-browser", "google-chrome"];

/** Path of Chromium; undefined where there is none. */
export const chromium: string | undefined = (Deno.env.get("PATH") ?? "").split(":")
  .flatMap((folder) => names.map((name) => `${folder}/${name}`))
  .find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
/** Whether tests fail where there is none. */
export const isChromiumRequired: boolean = Deno.env.get("LONGMEM_REQUIRE_CHROMIUM") === "1";
if (!chromium && !isChromiumRequired) {
  // deno-lint-ignore no-console -- what is left out must be seen
  console.warn(
    '\n*** There is no Chromium on the PATH: every test named "(needs Chromium)" is ignored. ***\n' +
      "*** Debian's package chromium has one; LONGMEM_REQUIRE_CHROMIUM=1 makes these tests fail. ***\n",
  );
}

/** Registers a test that opens pages; it is ignored, loudly, where there is no Chromium, and fails where one is required. */
export function chromiumTest(name: string, fn: () => Promise<void>): void {
  test({ name: `${name} (needs Chromium)`, ignore: !chromium && !isChromiumRequired, fn });
}

/**
 * Opens a page and says what a function, run in it after its own scripts, returns.
 *
 * @param html The page.
 * @param probe Source of a function without arguments, whose result is JSON.
 * @returns The result, and what the page reported as errors.
 */
export async function inPage<T>(
  html: string,
  probe: string,
  options: { width?: number } = {},
): Promise<{ result: T; errors: string[] }> {
  assert.ok(chromium, "there is no Chromium on the PATH");
  const folder = await Deno.makeTempDir();
  try {
    const listen = `<script>
      const pageErrors = [];
      addEventListener("error", (event) => pageErrors.push(String(event.message ?? event.target.outerHTML)), true);
      addEventListener("unhandledrejection", (event) => pageErrors.push(String(event.reason)));
      console.error = console.warn = (...words) => pageErrors.push(words.join(" "));
    </script>`;
    const tell = `<script>
      const answer = document.createElement("template");
      answer.id = "probe-answer";
      answer.setAttribute("data-json", JSON.stringify({ result: (${probe})(), errors: pageErrors }));
      document.body.append(answer);
    </script>`;
    const page = html.replace("<head>", () => `<head>${listen}`)
      .replace("</body>", () => `${tell}</body>`);
    await Deno.writeTextFile(`${folder}/page.html`, page);
    const { code, stdout, stderr } = await new Deno.Command(chromium, {
      args: [
        ...["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"],
        ...[
          "--disable-background-networking",
          "--disable-component-update",
          "--disable-extensions",
        ],
        ...[`--user-data-dir=${folder}/profile`, `--window-size=${options.width ?? 1200},1000`],
        ...["--dump-dom", pathToFileURL(`${folder}/page.html`).href],
      ],
      stdout: "piped",
      stderr: "piped",
    }).output();
    const [, json] = /data-json="([^"]*)"/.exec(new TextDecoder().decode(stdout)) ?? [];
    assert.ok(json, `Chromium ended with ${code}: ${new TextDecoder().decode(stderr).slice(-500)}`);
    const entities = { "&quot;": '"', "&lt;": "<", "&gt;": ">", "&nbsp;": "\u00a0" };
    let text = json;
    for (const [entity, character] of Object.entries(entities)) {
      text = text.replaceAll(entity, character);
    }
    return JSON.parse(text.replaceAll("&amp;", "&"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

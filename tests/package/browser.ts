/** A headless Chromium that is driven, and a server of files on this machine. */
// deno-lint-ignore-file no-import-prefix -- a package of tests alone
// @ts-types="./puppeteer.d.ts"
import puppeteer, { type Browser, type Page } from "npm:puppeteer-core@25.16.0";
import { chromium } from "../results/chromium.ts";
import { assert } from "../testing.ts";

export type { Page };

const types: Readonly<Record<string, string>> = {
  html: "text/html",
  js: "text/javascript",
  mjs: "text/javascript",
  css: "text/css",
  json: "application/json",
  wasm: "application/wasm",
};

/** Serves folders by the first parts of addresses; stops where the declaration ends. */
export function serveFolders(folders: Readonly<Record<string, string>>): AsyncDisposable & {
  readonly origin: string;
  /** Paths that were asked for. */
  readonly asked: string[];
} {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const path = decodeURIComponent(new URL(request.url).pathname);
    asked.push(path);
    const prefix = Object.keys(folders).find((prefix) => path.startsWith(prefix));
    if (prefix === undefined) return new Response(null, { status: 404 });
    const name = path.slice(prefix.length) || "index.html";
    try {
      const body = await Deno.readFile(folders[prefix] + name);
      const type = types[name.split(".").at(-1)!] ?? "application/octet-stream";
      return new Response(body, { headers: { "content-type": type } });
    } catch {
      return new Response(null, { status: 404 });
    }
  });
  return {
    origin: `http://127.0.0.1:${server.addr.port}`,
    asked,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/**
 * Runs a function with an empty page of a new browser.
 *
 * @param use Takes the page, and a list that its errors are added to.
 */
export async function withPage<T>(
  use: (page: Page, errors: string[], browser: Browser) => Promise<T>,
): Promise<T> {
  assert.ok(chromium, "there is no Chromium on the PATH");
  const browser = await puppeteer.launch({
    executablePath: chromium,
    args: [
      ...["--no-sandbox", "--no-first-run", "--disable-background-networking"],
      // WebGPU on the processor, which pages that ask for any adapter do not take for a fast one.
      ...["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"],
    ],
    protocolTimeout: 300_000,
  });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(120_000);
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(`${message.text()} ${message.location().url}`);
    });
    return await use(page, errors, browser);
  } finally {
    await browser.close();
  }
}

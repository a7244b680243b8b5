/** What the tests use of puppeteer-core, whose own types bring others of Node, which differ from Deno's. */

export interface ElementHandle {
  uploadFile(...paths: string[]): Promise<void>;
}

export interface Page {
  setDefaultTimeout(milliseconds: number): void;
  on(event: "pageerror", listen: (error: unknown) => void): void;
  on(event: "console", listen: (message: ConsoleMessage) => void): void;
  goto(address: string): Promise<unknown>;
  reload(): Promise<unknown>;
  evaluate<Input, Output>(run: (input: Input) => Output, input: Input): Promise<Awaited<Output>>;
  evaluate<Output>(run: string | (() => Output)): Promise<Awaited<Output>>;
  waitForFunction(condition: string): Promise<unknown>;
  $(selector: string): Promise<ElementHandle | null>;
  setOfflineMode(offline: boolean): Promise<void>;
  setViewport(size: { width: number; height: number }): Promise<void>;
  emulateMediaFeatures(features: { name: string; value: string }[]): Promise<void>;
  screenshot(options: { path: string; fullPage?: boolean }): Promise<unknown>;
  focus(selector: string): Promise<void>;
  createCDPSession(): Promise<DevTools>;
  readonly accessibility: { snapshot(): Promise<AccessibleNode | null> };
  readonly keyboard: { press(key: string): Promise<void>; type(text: string): Promise<void> };
}

/** Chromium's own commands. */
export interface DevTools {
  send(
    command: "Storage.overrideQuotaForOrigin",
    options: { origin: string; quotaSize: number },
  ): Promise<void>;
}

export interface ConsoleMessage {
  type(): string;
  text(): string;
  location(): { url?: string };
}

export interface AccessibleNode {
  readonly role: string;
  readonly name?: string;
  readonly children?: AccessibleNode[];
}

export interface Browser {
  newPage(): Promise<Page>;
  close(): Promise<void>;
}

declare const puppeteer: {
  launch(
    options: { executablePath: string; args: string[]; protocolTimeout: number },
  ): Promise<Browser>;
};
export default puppeteer;

/** What Node 20 and older browsers lack of the language. */
import { Float16Array as Ponyfill } from "npm:@petamoriken/float16@3.9.3";

for (const name of ["dispose", "asyncDispose"] as const) {
  if (!Symbol[name]) {
    Object.defineProperty(Symbol, name, { value: Symbol.for(`Symbol.${name}`) });
  }
}

const Numbers: typeof Float16Array = globalThis.Float16Array ?? Ponyfill;

export { Numbers as Float16Array };

import { rememberABook } from "../examples/remember_a_book.ts";
import { assert, test } from "./testing.ts";

test("rememberABook() names facts with the book in memory that the backbone alone does not", async () => {
  const { asked, withMemory, withoutMemory, continuation } = await rememberABook(1);
  assert.ok(asked >= 20, `${asked} facts asked`);
  assert.ok(withMemory > asked / 2, `${withMemory} of ${asked} with memory`);
  assert.ok(withoutMemory < asked / 4, `${withoutMemory} of ${asked} without`);
  assert.match(continuation, /^\S+( \S+){23}$/);
});

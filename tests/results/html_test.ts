import { Html, htmlList, markup } from "../../src/results/html.ts";
import { assert, test } from "../testing.ts";

test("markup shows text as it is, in elements, in attributes and in lists, and takes pieces as they are", () => {
  const evil = `</p><script>"&`, shown = "&lt;/p&gt;&lt;script&gt;&quot;&amp;";
  assert.equal(markup`<p title="${evil}">${evil}</p>`.text, `<p title="${shown}">${shown}</p>`);
  assert.equal(htmlList([evil, "b"]).text, `<ul><li>${shown}</li><li>b</li></ul>`);
  assert.equal(
    markup`${[markup`<b>${"<"}</b>`, "&", [new Html("<i>")]]}`.text,
    "<b>&lt;</b>&amp;<i>",
  );
  assert.equal(markup`a${undefined}b${""}c`.text, "abc");
});

import { ifThere } from "../src/missing_file.ts";
import { withFolder } from "./temporary_folder.ts";
import { assert, test } from "./testing.ts";

test("ifThere() is undefined where a file or a folder on its way is missing, and passes other errors on", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "text");
    assert.equal(await ifThere(Deno.readTextFile(`${folder}/file`)), "text");
    assert.equal(await ifThere(Deno.readTextFile(`${folder}/other`)), undefined);
    assert.equal(await ifThere(Deno.readTextFile(`${folder}/file/below`)), undefined);
    await assert.rejects(ifThere(Deno.readTextFile(folder)), /directory/);
  });
});

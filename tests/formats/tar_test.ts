import { tarFiles } from "../../src/formats/tar.ts";
import { assert, test } from "../testing.ts";
import { tarOf } from "./tar_archive.ts";

const textsOf = (archive: Uint8Array) =>
  Array.from(tarFiles(archive, "a.tgz"), ({ path, bytes }) => [
    path,
    new TextDecoder().decode(bytes),
  ]);

/** A record of an extended header, whose length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (`${length}${rest}`.length !== length) length = `${length}${rest}`.length;
  return `${length}${rest}`;
}

test("tarFiles() yields regular files in order, of any length", () => {
  const long = "x".repeat(512) + "end";
  assert.deepEqual(
    textsOf(tarOf([
      { path: "package/", kind: "5" },
      { path: "package/b.js", text: "b" },
      { path: "package/link.js", kind: "2" },
      { path: "package/empty.js" },
      { path: "package/a.js", text: long },
    ])),
    [["package/b.js", "b"], ["package/empty.js", ""], ["package/a.js", long]],
  );
});

test("tarFiles() joins long paths from prefixes, extended headers and GNU's", () => {
  const long = `package/${"deep/".repeat(40)}a.js`;
  assert.deepEqual(
    textsOf(tarOf([
      { path: "a.js", prefix: "package/lib", text: "1" },
      { path: "x", kind: "x", text: paxRecord("mtime", "1") + paxRecord("path", long) },
      { path: "cut", text: "2" },
      { path: "g", kind: "g", text: paxRecord("comment", "of all") },
      { path: "L", kind: "L", text: `${long}\0` },
      { path: "cut", text: "3" },
      { path: "package/after.js", text: "4" },
    ])),
    [["package/lib/a.js", "1"], [long, "2"], [long, "3"], ["package/after.js", "4"]],
  );
});

test("tarFiles() refuses archives that are damaged or cut off", () => {
  const archive = tarOf([{ path: "package/a.js", text: "text" }]);
  const damaged = archive.slice();
  damaged[3] ^= 1;
  const cases = [
    { bytes: damaged, message: /the header at byte 0 has another checksum/ },
    { bytes: archive.slice(0, 514), message: /it is cut off in the file at byte 0/ },
    { bytes: archive.slice(0, 300), message: /it is cut off in the header at byte 0/ },
  ];
  for (const { bytes, message } of cases) {
    assert.throws(() => textsOf(bytes), { name: "RangeError", message });
    assert.throws(() => textsOf(bytes), /Cannot read tar archive "a\.tgz"/);
  }
});

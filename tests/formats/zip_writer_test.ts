import type { ByteSource } from "../../src/formats/byte_file.ts";
import { readZipDirectory, readZipEntry } from "../../src/formats/zip.ts";
import { zipParts } from "../../src/formats/zip_writer.ts";
import { assert, test } from "../testing.ts";

const entries = [
  { name: "archive/first", bytes: Uint8Array.of(1, 2, 3) },
  { name: "archive/empty", bytes: new Uint8Array(0) },
  { name: "archive/data/1", bytes: Uint8Array.from({ length: 1000 }, (_, i) => i) },
];

/** An archive whose first byte is at an offset of a file, of which nothing before is there. */
function sourceAt(start: number, parts: Iterable<Uint8Array>): ByteSource {
  const bytes = new Uint8Array(Array.from(parts, (part) => [...part]).flat());
  return {
    path: "archive.pt",
    sizeBytes: start + bytes.length,
    read: (offset, lengthBytes) => {
      assert.ok(lengthBytes <= 100_000);
      const part = new Uint8Array(lengthBytes); // zeros before the archive
      const from = offset - start;
      part.set(
        bytes.subarray(Math.max(0, from), Math.max(0, from + lengthBytes)),
        Math.max(0, -from),
      );
      return Promise.resolve(part);
    },
    [Symbol.dispose]() {},
  };
}

// The second begins beyond 4 GiB, the third so that only the directory is there.
for (const start of [0, 2 ** 33 + 5, 2 ** 32 - 500]) {
  test(`zipParts() writes an archive that readZipDirectory() reads, from byte ${start}`, async () => {
    const file = sourceAt(start, zipParts(entries, start));
    const directory = await readZipDirectory(file);
    assert.deepEqual([...directory.keys()], entries.map(({ name }) => name));
    for (const { name, bytes } of entries) {
      const entry = directory.get(name)!;
      assert.deepEqual(await readZipEntry(file, entry), bytes);
      const header = await file.read(entry.headerOffset, 30);
      const [nameBytes, extraBytes] = [26, 28].map((at) => header[at] + 256 * header[at + 1]);
      assert.equal((entry.headerOffset + 30 + nameBytes + extraBytes) % 64, 0, name);
    }
    // The 64-bit extension is there where it is needed, and not elsewhere.
    const end = await file.read(file.sizeBytes - 42, 4);
    const isLarge = new DataView(end.buffer).getUint32(0, true) === 0x07064b50;
    assert.equal(isLarge, start > 0);
  });
}

test("zipParts() writes equal entries as equal bytes", () => {
  const bytes = () => Array.from(zipParts(entries), (part) => [...part]).flat();
  assert.deepEqual(bytes(), bytes());
});

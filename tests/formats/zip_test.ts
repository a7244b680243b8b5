import { ByteFile } from "../../src/formats/byte_file.ts";
import { readZipDirectory, readZipEntry } from "../../src/formats/zip.ts";
import { assert, test } from "../testing.ts";
import { withFolder } from "../temporary_folder.ts";
import { zipBytes } from "./torch_archive.ts";

const entries = [
  { name: "a/first", data: new Uint8Array([1, 2, 3]) },
  { name: "a/empty", data: new Uint8Array(0) },
  { name: "a/zwei-ä", data: new Uint8Array(1000).map((_, i) => i) },
];

function withArchive(bytes: Uint8Array, use: (file: ByteFile) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/archive.zip`, bytes);
    using file = await ByteFile.open(`${folder}/archive.zip`);
    await use(file);
  });
}

for (const options of [{}, { padding: 61 }, { zip64: true }, { zip64: true, padding: 5 }]) {
  test(`readZipEntry() reads entries and ranges of them, ${JSON.stringify(options)}`, () =>
    withArchive(zipBytes(entries, options), async (file) => {
      const directory = await readZipDirectory(file);
      assert.deepEqual([...directory.keys()], entries.map(({ name }) => name));
      for (const { name, data } of entries) {
        assert.deepEqual(await readZipEntry(file, directory.get(name)!), data);
      }
      const last = directory.get("a/zwei-ä")!;
      assert.deepEqual(
        await readZipEntry(file, last, { offset: 300, lengthBytes: 2 }),
        new Uint8Array([44, 45]),
      );
      await assert.rejects(
        readZipEntry(file, last, { offset: 999, lengthBytes: 2 }),
        /entry "a\/zwei-ä" has 1000 bytes: bytes 999 to 1001 are needed/,
      );
    }));
}

test("readZipDirectory() finds the directory behind a comment", () => {
  const bytes = zipBytes(entries);
  // The comment contains the signature itself, which must not be taken for the end.
  const comment = [
    0x50,
    0x4b,
    5,
    6,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    9,
    9,
    9,
    9,
  ];
  const longer = new Uint8Array([...bytes, ...comment]);
  longer[bytes.length - 2] = comment.length;
  return withArchive(longer, async (file) => {
    assert.equal((await readZipDirectory(file)).size, 3);
  });
});

const good = zipBytes(entries);
const damaged: { name: string; bytes: Uint8Array; message: RegExp }[] = [
  {
    name: "a truncated archive",
    bytes: good.subarray(0, good.length - 1),
    message:
      /is truncated: a zip archive ends with its directory, and none is found in its \d+ bytes/,
  },
  {
    name: "an archive that lost its beginning",
    bytes: good.subarray(10),
    message: /its directory is misplaced: expected an end at byte \d+, found \d+/,
  },
  {
    name: "compressed entries",
    bytes: zipBytes([{ ...entries[0], method: 8 }]),
    message: /entry "a\/first" is compressed \(method 8\): allowed are stored entries/,
  },
  {
    name: "encrypted entries",
    bytes: zipBytes([{ ...entries[0], flags: 1 }]),
    message: /entry "a\/first" is encrypted/,
  },
  {
    name: "two entries of one name",
    bytes: zipBytes([entries[0], entries[0]]),
    message: /entry "a\/first" occurs twice/,
  },
  {
    name: "a directory with too few entries",
    bytes: patched(good, good.length - 12, 9),
    message: /directory is damaged: expected 9 entries, found 3/,
  },
  {
    name: "a directory with too many entries",
    bytes: patched(good, good.length - 12, 2),
    message: /directory is damaged: expected \d+ bytes, found \d+/,
  },
  {
    name: "a 64-bit archive whose extension is elsewhere",
    // The locator's offset of the 64-bit end.
    bytes: patched(zipBytes(entries, { zip64: true }), -22 - 12, 1),
    message: /its 64-bit directory is not at byte/,
  },
];

function patched(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[at < 0 ? copy.length + at : at] = value;
  return copy;
}

for (const { name, bytes, message } of damaged) {
  test(`readZipDirectory() refuses ${name}`, () =>
    withArchive(bytes, async (file) => {
      await assert.rejects(readZipDirectory(file), (error: Error) => {
        assert.match(error.message, message);
        assert.ok(error.message.includes(file.path));
        return true;
      });
    }));
}

test("readZipDirectory() refuses an entry that runs into the directory", () => {
  // Size of the last entry, in the directory: 46 + 9 bytes before the end record.
  const bytes = zipBytes([{ name: "a/first", data: new Uint8Array(3) }]);
  const entry = bytes.length - 22 - 46 - "a/first".length;
  return withArchive(patched(patched(bytes, entry + 24, 200), entry + 20, 200), async (file) => {
    await assert.rejects(readZipDirectory(file), /entry "a\/first" of 200 bytes at 0 runs into/);
  });
});

test("readZipDirectory() refuses entries of which one lies within another", () => {
  const data = new Uint8Array(50);
  const bytes = zipBytes(["a/one", "a/two", "a/all"].map((name) => ({ name, data })));
  const entryBytes = 46 + "a/one".length;
  const second = bytes.length - 22 - 2 * entryBytes;
  // Where the second entry begins: at the first, within the first's data, a byte before its end.
  return Promise.all(
    [0, 40, 30 + 50 - 1].map((offset) =>
      withArchive(patched(bytes, second + 42, offset), async (file) => {
        await assert.rejects(readZipDirectory(file), /its entries "a\/one" and "a\/two" overlap/);
      })
    ),
  ).then(() => {});
});

test("readZipEntry() finds damage by the checksum", () =>
  withArchive(zipBytes([{ ...entries[0], crc: 5 }]), async (file) => {
    const directory = await readZipDirectory(file);
    await assert.rejects(
      readZipEntry(file, directory.get("a/first")!),
      /bytes of entry "a\/first" are damaged: expected CRC-32 00000005, found 55bc801d/,
    );
  }));

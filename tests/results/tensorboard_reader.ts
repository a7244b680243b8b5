/**
 * Reads what TensorBoard reads, written for the tests from the formats' descriptions alone: nothing of it is shared with
 * the code under test. Numbers of fields are those of `event.proto` and `summary.proto`.
 */
import { join } from "node:path";
import { assert } from "../testing.ts";

/** An event of a file. */
export interface ReadEvent {
  readonly wallSeconds: number;
  readonly step: number;
  readonly version?: string;
  /** Status of a session: 1 where it starts. */
  readonly session?: number;
  readonly scalars: Readonly<Record<string, number>>;
}

/** A point of a curve: step and value. */
export type Point = readonly [number, number];

/** The events of a file; every length and checksum is checked. */
export function readEvents(bytes: Uint8Array): ReadEvent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const events: ReadEvent[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(view.getBigUint64(at, true));
    assert.equal(unmasked(view.getUint32(at + 8, true)), bitwiseCrc(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    assert.equal(data.length, length, "the record is whole");
    assert.equal(unmasked(view.getUint32(at + 12 + length, true)), bitwiseCrc(data));
    events.push(readEvent(data));
    at += 16 + length;
  }
  return events;
}

/** Undoes the mask of a checksum: the constant is taken away, and 32 bits turn by 15 to the left. */
function unmasked(masked: number): bigint {
  const turned = (BigInt(masked) - 0xa282ead8n) & 0xffffffffn;
  return (turned << 15n | turned >> 17n) & 0xffffffffn;
}

/** CRC-32C by polynomial division of the message, bit by bit, most significant first. */
function bitwiseCrc(bytes: Uint8Array): bigint {
  let remainder = 0xffffffffn;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const carry = remainder >> 31n ^ BigInt(byte >> bit & 1);
      remainder = remainder << 1n & 0xffffffffn;
      if (carry) remainder ^= 0x1edc6f41n;
    }
  }
  const reflected = remainder.toString(2).padStart(32, "0").split("").reverse().join("");
  return BigInt(`0b${reflected}`) ^ 0xffffffffn;
}

/** The fields of a protobuf message, by number: varints as numbers, all else as bytes. */
function fieldsOf(bytes: Uint8Array): Map<number, (number | Uint8Array)[]> {
  const fields = new Map<number, (number | Uint8Array)[]>();
  let at = 0;
  const varint = () => {
    for (let value = 0, scale = 1;; scale *= 128) {
      const byte = bytes[at++];
      value += byte % 128 * scale;
      if (byte < 128) return value;
    }
  };
  const take = (length: number) => bytes.subarray(at, at += length);
  while (at < bytes.length) {
    const key = varint(), number = Math.floor(key / 8), type = key % 8;
    assert.ok([0, 1, 2, 5].includes(type), `wire type ${type}`);
    const value = type === 0 ? varint() : take(type === 1 ? 8 : type === 5 ? 4 : varint());
    fields.set(number, [...fields.get(number) ?? [], value]);
  }
  assert.equal(at, bytes.length, "the message ends where its last field does");
  return fields;
}

function readEvent(bytes: Uint8Array): ReadEvent {
  const fields = fieldsOf(bytes);
  const message = (number: number) => fields.get(number)?.[0] as Uint8Array | undefined;
  const version = message(3), summary = message(5), session = message(7);
  const values = summary ? fieldsOf(summary).get(1) as Uint8Array[] : [];
  const scalars = values.map((value) => {
    const [tag, scalar] = [1, 2].map((number) => fieldsOf(value).get(number)![0] as Uint8Array);
    return [textOf(tag), viewOf(scalar).getFloat32(0, true)];
  });
  return {
    wallSeconds: viewOf(message(1)!).getFloat64(0, true),
    step: fields.get(2)?.[0] as number ?? 0,
    ...(version && { version: textOf(version) }),
    ...(session && { session: fieldsOf(session).get(1)![0] as number }),
    scalars: Object.fromEntries(scalars),
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}

/** The files of a folder, in the order in which TensorBoard reads them. */
export async function readFiles(folder: string): Promise<ReadEvent[][]> {
  const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
  const files: ReadEvent[][] = [];
  for (const name of names) {
    assert.match(name, /^events\.out\.tfevents\.\d{10}\.[^/]+$/);
    files.push(readEvents(await Deno.readFile(join(folder, name))));
  }
  return files;
}

/** The curves that TensorBoard shows of files: where a session starts, earlier points of its step and later ones are void. */
export function curvesOf(files: readonly ReadEvent[][]): Record<string, Point[]> {
  const curves: Record<string, Point[]> = {};
  for (const { step, session, scalars } of files.flat()) {
    if (session === 1) {
      for (const tag in curves) curves[tag] = curves[tag].filter(([earlier]) => earlier < step);
    }
    for (const [tag, value] of Object.entries(scalars)) (curves[tag] ??= []).push([step, value]);
  }
  return curves;
}

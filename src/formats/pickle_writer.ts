/**
 * Writes plain data as a pickle of protocol 2, the one that `torch.save` uses. Values that occur twice are written twice: nothing
 * that is written here depends on their identity.
 */
import { PickleNamespace, PickleTuple } from "./pickle.ts";

/** A `collections.OrderedDict`; a map is a plain dictionary. */
export class PickleOrderedDict {
  constructor(readonly entries: Iterable<readonly [WritablePickle, WritablePickle]>) {}
}

/** A call of a module's function, made when the pickle is read. */
export class PickleCall {
  /** @param name Full name of the function, module and all. */
  constructor(readonly name: string, readonly args: readonly WritablePickle[]) {}
}

export class PickleName {
  /** @param name Full name, module and all. */
  constructor(readonly name: string) {}
}

/** Data outside the pickle, by its reference. */
export class PicklePersistent {
  constructor(readonly id: WritablePickle) {}
}

/** A value that can be written; whole numbers are `int`. */
export type WritablePickle =
  | null
  | boolean
  | number
  | string
  | readonly WritablePickle[]
  | ReadonlyMap<WritablePickle, WritablePickle>
  | PickleTuple
  | PickleNamespace
  | PickleOrderedDict
  | PickleCall
  | PickleName
  | PicklePersistent;

/** Instructions of the stack machine, by their names in Python's pickletools. */
const op = {
  appends: 0x65,
  binint: 0x4a,
  binint1: 0x4b,
  binint2: 0x4d,
  binpersid: 0x51,
  binunicode: 0x58,
  build: 0x62,
  emptyDict: 0x7d,
  emptyList: 0x5d,
  emptyTuple: 0x29,
  global: 0x63,
  long1: 0x8a,
  mark: 0x28,
  newFalse: 0x89,
  newObject: 0x81,
  newTrue: 0x88,
  none: 0x4e,
  proto: 0x80,
  reduce: 0x52,
  setItems: 0x75,
  stop: 0x2e,
  tuple: 0x74,
} as const;

/**
 * Writes a value as a pickle.
 *
 * @throws {RangeError} Where a number is not a whole one that JavaScript holds exactly.
 */
export function pickle(value: WritablePickle): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.bytes(op.proto, 2);
  writer.write(value);
  writer.bytes(op.stop);
  return writer.result();
}

class Writer {
  #bytes = new Uint8Array(1024);
  #length = 0;

  result(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  bytes(...values: number[]): void {
    this.#append(Uint8Array.from(values));
  }

  write(value: WritablePickle): void {
    if (value === null) this.bytes(op.none);
    else if (typeof value === "boolean") this.bytes(value ? op.newTrue : op.newFalse);
    else if (typeof value === "number") this.#integer(value);
    else if (typeof value === "string") this.#text(value);
    else if (value instanceof PickleTuple) this.#tuple(value.items as WritablePickle[]);
    else if (value instanceof PickleNamespace) this.#namespace(value);
    else if (value instanceof PickleOrderedDict) {
      this.#call("collections.OrderedDict", []);
      this.#items(value.entries);
    } else if (value instanceof PickleCall) this.#call(value.name, value.args);
    else if (value instanceof PickleName) this.#name(value.name);
    else if (value instanceof PicklePersistent) {
      this.write(value.id);
      this.bytes(op.binpersid);
    } else if (value instanceof Map) {
      this.bytes(op.emptyDict);
      this.#items(value);
    } else {
      this.bytes(op.emptyList, op.mark);
      for (const item of value as readonly WritablePickle[]) this.write(item);
      this.bytes(op.appends);
    }
  }

  #integer(value: number): void {
    if (!Number.isSafeInteger(value)) {
      throw new RangeError(`Cannot write ${value} as an integer: allowed are safe integers`);
    }
    if (value >= 0 && value < 2 ** 8) this.bytes(op.binint1, value);
    else if (value >= 0 && value < 2 ** 16) this.bytes(op.binint2, value & 0xff, value >> 8);
    else if (value >= -(2 ** 31) && value < 2 ** 31) {
      const view = new DataView(new ArrayBuffer(5));
      view.setUint8(0, op.binint);
      view.setInt32(1, value, true);
      this.#append(new Uint8Array(view.buffer));
    } else {
      const view = new DataView(new ArrayBuffer(10));
      view.setUint16(0, op.long1 << 8 | 8);
      view.setBigInt64(2, BigInt(value), true);
      this.#append(new Uint8Array(view.buffer));
    }
  }

  #text(value: string): void {
    const text = new TextEncoder().encode(value);
    const view = new DataView(new ArrayBuffer(5));
    view.setUint8(0, op.binunicode);
    view.setUint32(1, text.length, true);
    this.#append(new Uint8Array(view.buffer));
    this.#append(text);
  }

  #tuple(items: readonly WritablePickle[]): void {
    if (items.length === 0) return this.bytes(op.emptyTuple);
    this.bytes(op.mark);
    for (const item of items) this.write(item);
    this.bytes(op.tuple);
  }

  #namespace({ attributes }: PickleNamespace): void {
    this.#name("argparse.Namespace");
    this.bytes(op.emptyTuple, op.newObject, op.emptyDict);
    this.#items(attributes as Map<WritablePickle, WritablePickle>);
    this.bytes(op.build);
  }

  #call(name: string, args: readonly WritablePickle[]): void {
    this.#name(name);
    this.#tuple(args);
    this.bytes(op.reduce);
  }

  #name(name: string): void {
    const dot = name.lastIndexOf(".");
    this.bytes(op.global);
    this.#append(
      new TextEncoder().encode(`${name.slice(0, dot)}\n${name.slice(dot + 1)}\n`),
    );
  }

  #items(entries: Iterable<readonly [WritablePickle, WritablePickle]>): void {
    this.bytes(op.mark);
    for (const [key, value] of entries) {
      this.write(key);
      this.write(value);
    }
    this.bytes(op.setItems);
  }

  #append(part: Uint8Array): void {
    while (this.#length + part.length > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(part, this.#length);
    this.#length += part.length;
  }
}

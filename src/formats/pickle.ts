/**
 * Reads the pickles inside torch checkpoints as data. A pickle is a program for a stack machine; this
 * machine knows the instructions that `torch.save` emits (protocols 2 to 5) and no function but a few that make plain
 * data, and those it is given. Nothing is looked up or executed: every other name and instruction is refused with its
 * position.
 */
import { InputTypeError } from "../errors.ts";

/** A value of a pickle. Dictionaries are maps, so that no key can reach a prototype. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Set<PickleValue>
  | Map<PickleValue, PickleValue>
  | PickleTuple
  | PickleNamespace
  | PickleGlobal
  | PickleOpaque;

export class PickleTuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

/** An `argparse.Namespace`: attributes by name. */
export class PickleNamespace {
  readonly attributes: Map<PickleValue, PickleValue> = new Map();
}

/** Something a caller's function made, such as a tensor; this machine only carries it. */
export abstract class PickleOpaque {}

/** An object whose contents are passed over, such as an array of numpy. */
export class PassedOver extends PickleOpaque {
  constructor(
    /** Full name of its class or function. */
    readonly className: string,
  ) {
    super();
  }
}

/** A name of a Python module that a pickle may use. */
export class PickleGlobal {
  constructor(
    /** Full name, module and all. */
    readonly name: string,
    /** Computes the result of a call; absent where it is not a function. */
    readonly call?: (args: readonly PickleValue[]) => PickleValue,
  ) {}

  /** A class or function whose objects are passed over, however they are made. */
  static passedOver(name: string): PickleGlobal {
    return new PickleGlobal(name, () => new PassedOver(name));
  }
}

/** Globals and references that a pickle may use besides plain data. */
export interface UnpickleOptions {
  /** Name of the pickle in messages. */
  source: string;
  /** Allowed globals beside those of plain data (`collections.OrderedDict`, `argparse.Namespace`, sets, bytes and so on). */
  globals?: readonly PickleGlobal[];
  /** Resolves a persistent id, torch's way to refer to a storage. */
  persistent?: (id: PickleValue) => PickleValue;
}

const ORDERED_DICT = new PickleGlobal("collections.OrderedDict", (args) => {
  if (args.length > 0) throw new TypeError("an OrderedDict is made empty: arguments were given");
  return new Map();
});
const NAMESPACE = new PickleGlobal("argparse.Namespace");

/** Python's own types live in one of these modules, as the pickle's protocol is 2 or a later one. */
const BUILTINS = ["__builtin__", "builtins"];

/** Globals in pickles of plain data; the names without a function occur only as arguments of others. */
const PLAIN_GLOBALS: readonly PickleGlobal[] = [
  ORDERED_DICT,
  NAMESPACE,
  new PickleGlobal("collections.defaultdict", () => new Map()),
  PickleGlobal.passedOver("collections.Counter"),
  PickleGlobal.passedOver("_codecs.encode"), // bytes of protocol 2
  ...BUILTINS.flatMap((module) => [
    // Sets and bytes of protocol 2 among them: a pickle could copy a value that it recalls a million times.
    ...["bytearray", "bytes", "complex", "frozenset", "range", "set", "slice", "xrange"].map(
      (name) => PickleGlobal.passedOver(`${module}.${name}`),
    ),
    ...["bool", "dict", "float", "int", "list", "long", "object", "str", "tuple"].map((name) =>
      new PickleGlobal(`${module}.${name}`)
    ),
  ]),
];

/** Bytes of one integer: torch's own are storage sizes of 8 bytes and less. */
const MAX_INTEGER_BYTES = 32;

/** Numbers of dimensions and nested calls are small; the stack of a real checkpoint holds thousands of values. */
const MAX_STACK = 2 ** 20;

/**
 * A checkpoint of a thousand tensors and their optimiser states takes some hundred thousand instructions, and some
 * ten thousand collections. Sizes in bytes do not bound the work: an empty dictionary is one byte.
 */
const MAX_INSTRUCTIONS = 2 ** 21, MAX_COLLECTIONS = 2 ** 19;

const latestProtocol = 5;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads a pickle.
 *
 * Time and memory are bounded: instructions run once, in order, and the numbers of instructions and of collections are
 * limited; shared values are references. A value may contain itself, so callers read the keys they need and never walk
 * the whole value.
 *
 * @throws `TypeError` naming the source, the position and the refused content.
 */
export function unpickle(
  bytes: Uint8Array<ArrayBuffer>,
  options: UnpickleOptions,
): PickleValue {
  return new Machine(bytes, options).run();
}

class Machine {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #options: UnpickleOptions;
  #globals: Map<string, PickleGlobal>;
  #at = 0;
  /** Position of the instruction that runs, for messages. */
  #instruction = 0;
  #stack: PickleValue[] = [];
  /** Stack heights at the open marks. */
  #marks: number[] = [];
  #memo = new Map<number, PickleValue>();
  #instructions = 0;
  #collections = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>, options: UnpickleOptions) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#options = options;
    this.#globals = new Map(
      [...PLAIN_GLOBALS, ...options.globals ?? []].map((global) => [global.name, global]),
    );
  }

  /** Reads the value that an instruction pushes, by its opcode; names are those of Python's pickletools. */
  readonly #pushed: Readonly<Record<number, () => PickleValue>> = {
    0x4e: () => null, // NONE
    0x88: () => true, // NEWTRUE
    0x89: () => false, // NEWFALSE
    0x4a: () => this.#view.getInt32(this.#take(4), true), // BININT
    0x4b: () => this.#uint8(), // BININT1
    0x4d: () => this.#view.getUint16(this.#take(2), true), // BININT2
    0x8a: () => this.#integer(this.#uint8()), // LONG1
    0x8b: () => this.#integer(this.#uint32()), // LONG4
    0x47: () => this.#view.getFloat64(this.#take(8), false), // BINFLOAT, the one big-endian number
    0x58: () => this.#text(this.#uint32()), // BINUNICODE
    0x8c: () => this.#text(this.#uint8()), // SHORT_BINUNICODE
    0x8d: () => this.#text(this.#uint64()), // BINUNICODE8
    0x42: () => this.#binary(this.#uint32()), // BINBYTES
    0x43: () => this.#binary(this.#uint8()), // SHORT_BINBYTES
    0x8e: () => this.#binary(this.#uint64()), // BINBYTES8
    0x96: () => this.#binary(this.#uint64()), // BYTEARRAY8
    0x5d: () => this.#counted([]), // EMPTY_LIST
    0x8f: () => this.#counted(new Set()), // EMPTY_SET
    0x91: () => this.#counted(new Set(this.#popToMark())), // FROZENSET
    0x29: () => this.#tuple([]), // EMPTY_TUPLE
    0x85: () => this.#tuple(this.#popItems(1)), // TUPLE1
    0x86: () => this.#tuple(this.#popItems(2)), // TUPLE2
    0x87: () => this.#tuple(this.#popItems(3)), // TUPLE3
    0x74: () => this.#tuple(this.#popToMark()), // TUPLE
    0x7d: () => this.#counted(new Map()), // EMPTY_DICT
    0x68: () => this.#remembered(this.#uint8()), // BINGET
    0x6a: () => this.#remembered(this.#uint32()), // LONG_BINGET
    0x63: () => this.#global(this.#line(), this.#line()), // GLOBAL
    0x51: () => this.#persistent(this.#pop()), // BINPERSID
  };

  run(): PickleValue {
    while (true) {
      this.#instruction = this.#at;
      if (++this.#instructions > MAX_INSTRUCTIONS) {
        throw this.#refuse(`it has more than ${MAX_INSTRUCTIONS} instructions`);
      }
      const opcode = this.#uint8(), pushed = this.#pushed[opcode];
      if (pushed) {
        this.#push(pushed());
        continue;
      }
      switch (opcode) {
        case 0x80: { // PROTO
          const protocol = this.#uint8();
          if (protocol < 2 || protocol > latestProtocol) {
            throw this.#refuse(`it has protocol ${protocol}: allowed are 2 to ${latestProtocol}`);
          }
          break;
        }
        case 0x95: // FRAME: how much Python reads ahead
          this.#take(8);
          break;
        case 0x2e: { // STOP
          const result = this.#pop();
          if (this.#stack.length > 0 || this.#marks.length > 0) {
            throw this.#refuse(`it stops with ${this.#stack.length} values left over`);
          }
          return result;
        }
        case 0x28: // MARK
          if (this.#marks.length >= MAX_STACK) throw this.#refuse("it nests too deeply");
          this.#marks.push(this.#stack.length);
          break;
        case 0x90: { // ADDITEMS
          const items = this.#popToMark();
          const set = this.#top();
          if (!(set instanceof Set)) throw this.#refuse(`it adds items to ${describe(set)}`);
          for (const item of items) set.add(item);
          break;
        }
        case 0x61: { // APPEND
          const item = this.#pop();
          this.#list().push(item);
          break;
        }
        case 0x65: { // APPENDS
          const items = this.#popToMark();
          const list = this.#list();
          for (const item of items) list.push(item);
          break;
        }
        case 0x73: { // SETITEM
          const value = this.#pop(), key = this.#pop();
          this.#dictionary().set(key, value);
          break;
        }
        case 0x75: { // SETITEMS
          const items = this.#popToMark();
          if (items.length % 2 !== 0) throw this.#refuse("a key of a dictionary has no value");
          const dictionary = this.#dictionary();
          for (let i = 0; i < items.length; i += 2) dictionary.set(items[i], items[i + 1]);
          break;
        }
        case 0x71: // BINPUT
          this.#memo.set(this.#uint8(), this.#top());
          break;
        case 0x72: // LONG_BINPUT
          this.#memo.set(this.#uint32(), this.#top());
          break;
        case 0x94: // MEMOIZE
          this.#memo.set(this.#memo.size, this.#top());
          break;
        case 0x93: { // STACK_GLOBAL
          const name = this.#pop(), module = this.#pop();
          if (typeof module !== "string" || typeof name !== "string") {
            throw this.#refuse(`it names a global by ${describe(module)} and ${describe(name)}`);
          }
          this.#push(this.#global(module, name));
          break;
        }
        case 0x52: { // REDUCE
          const args = this.#arguments();
          this.#push(this.#call(this.#pop(), args));
          break;
        }
        case 0x92: // NEWOBJ_EX
        case 0x81: { // NEWOBJ
          if (opcode === 0x92) this.#pop(); // arguments by name
          const args = this.#arguments();
          this.#push(this.#counted(this.#object(this.#pop(), args)));
          break;
        }
        case 0x62: // BUILD
          this.#build(this.#pop());
          break;
        default:
          throw this.#refuse(
            `instruction 0x${opcode.toString(16).padStart(2, "0")} ` +
              `("${String.fromCharCode(opcode)}") is not one that torch.save writes`,
          );
      }
    }
  }

  #refuse(reason: string): TypeError {
    return new InputTypeError(
      `Cannot read the pickle of ${this.#options.source} as ${reason}, at byte ${this.#instruction}`,
    );
  }

  /** Steps over `count` bytes and returns where they start. */
  #take(count: number): number {
    const start = this.#at;
    if (count > this.#bytes.length - start) {
      throw this.#refuse(
        `it ends early: ${start + count} bytes are needed, it has ${this.#bytes.length}`,
      );
    }
    this.#at += count;
    return start;
  }

  #uint8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  #uint32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** A little-endian two's complement integer; bigint where a number would lose digits. */
  #integer(lengthBytes: number): number | bigint {
    if (lengthBytes > MAX_INTEGER_BYTES) {
      throw this.#refuse(
        `it has an integer of ${lengthBytes} bytes: allowed are ${MAX_INTEGER_BYTES}`,
      );
    }
    const start = this.#take(lengthBytes);
    let value = 0n;
    for (let i = lengthBytes - 1; i >= 0; i--) {
      value = (value << 8n) | BigInt(this.#bytes[start + i]);
    }
    value = BigInt.asIntN(8 * lengthBytes, value);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  /** A length; beyond the pickle's own anything will do, as there is nothing to take. */
  #uint64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  #binary(lengthBytes: number): Uint8Array {
    const start = this.#take(lengthBytes);
    return this.#counted(this.#bytes.subarray(start, start + lengthBytes));
  }

  #text(lengthBytes: number): string {
    const start = this.#take(lengthBytes);
    try {
      return utf8.decode(this.#bytes.subarray(start, start + lengthBytes));
    } catch {
      throw this.#refuse("it has a text that is not UTF-8");
    }
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw this.#refuse("it ends early: a name is not finished");
    const text = this.#text(end - this.#at);
    this.#at = end + 1;
    return text;
  }

  /** Counts a collection or an object before it is kept. */
  #counted<Value>(value: Value): Value {
    if (++this.#collections > MAX_COLLECTIONS) {
      throw this.#refuse(`it makes more than ${MAX_COLLECTIONS} collections`);
    }
    return value;
  }

  #push(value: PickleValue): void {
    if (this.#stack.length >= MAX_STACK) {
      throw this.#refuse("it keeps too many values on its stack");
    }
    this.#stack.push(value);
  }

  #top(): PickleValue {
    // Values below the last mark belong to an unfinished collection and are out of reach.
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) {
      throw this.#refuse("it takes a value from an empty stack");
    }
    return this.#stack.at(-1)!;
  }

  #pop(): PickleValue {
    const value = this.#top();
    this.#stack.pop();
    return value;
  }

  #popItems(count: number): PickleValue[] {
    return Array.from({ length: count }, () => this.#pop()).reverse();
  }

  #tuple(items: readonly PickleValue[]): PickleTuple {
    return this.#counted(new PickleTuple(items));
  }

  #popToMark(): PickleValue[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw this.#refuse("it ends a collection that was not begun");
    return this.#stack.splice(mark);
  }

  #list(): PickleValue[] {
    const list = this.#top();
    if (!Array.isArray(list)) throw this.#refuse(`it appends to ${describe(list)}`);
    return list;
  }

  #dictionary(): Map<PickleValue, PickleValue> {
    const dictionary = this.#top();
    if (!(dictionary instanceof Map)) {
      throw this.#refuse(`it sets items of ${describe(dictionary)}`);
    }
    return dictionary;
  }

  #remembered(index: number): PickleValue {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#refuse(`it recalls value ${index}, which it did not keep`);
    return value;
  }

  #global(module: string, name: string): PickleGlobal {
    const fullName = `${module}.${name}`;
    const global = this.#globals.get(fullName);
    if (!global) {
      throw this.#refuse(
        `global ${
          JSON.stringify(fullName.slice(0, 200))
        } is not allowed: allowed are tensors and plain data ` +
          `of Python, numpy and torch (load it in Python, leave this out, and save it again)`,
      );
    }
    return global;
  }

  #object(made: PickleValue, args: readonly PickleValue[]): PickleValue {
    if (made === NAMESPACE && args.length === 0) return new PickleNamespace();
    const object = made instanceof PickleGlobal && made !== ORDERED_DICT
      ? made.call?.(args)
      : undefined;
    if (!(object instanceof PassedOver)) {
      throw this.#refuse(`it makes an object of ${describe(made)}, which is not plain data`);
    }
    return object;
  }

  #persistent(id: PickleValue): PickleValue {
    if (!this.#options.persistent) throw this.#refuse("it refers to data outside of it");
    try {
      return this.#options.persistent(id);
    } catch (error) {
      throw this.#refuse((error as Error).message);
    }
  }

  #arguments(): readonly PickleValue[] {
    const args = this.#pop();
    if (!(args instanceof PickleTuple)) throw this.#refuse(`it calls with ${describe(args)}`);
    return args.items;
  }

  #call(called: PickleValue, args: readonly PickleValue[]): PickleValue {
    if (!(called instanceof PickleGlobal) || !called.call) {
      throw this.#refuse(`it calls ${describe(called)}, which is not an allowed function`);
    }
    try {
      return this.#counted(called.call(args));
    } catch (error) {
      throw this.#refuse((error as Error).message);
    }
  }

  #build(state: PickleValue): void {
    const target = this.#top();
    if (target instanceof PassedOver) return;
    if (!(state instanceof Map)) throw this.#refuse(`it sets attributes from ${describe(state)}`);
    if (target instanceof PickleNamespace) {
      this.#instructions += state.size; // may be recalled any number of times
      for (const [name, value] of state) target.attributes.set(name, value);
      return;
    }
    // A state dict's OrderedDict carries `_metadata`, versions of modules, as an attribute: not data.
    if (!(target instanceof Map)) throw this.#refuse(`it sets attributes of ${describe(target)}`);
  }
}

/** A value in a few words, for messages. */
export function describe(value: PickleValue | undefined): string {
  if (value instanceof PickleGlobal) return value.name;
  if (value instanceof PickleTuple) return `a tuple of ${value.items.length}`;
  if (value instanceof PickleNamespace) return "a namespace";
  if (value instanceof Map) return `a dictionary of ${value.size}`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Set) return `a set of ${value.size}`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value instanceof PassedOver) return `a value of ${value.className}`;
  if (typeof value === "string") return JSON.stringify(value.slice(0, 80));
  if (typeof value === "object" && value !== null) return value.constructor.name;
  return value === undefined ? "nothing" : value === null ? "None" : String(value);
}

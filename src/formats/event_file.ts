/**
 * The files that TensorBoard reads: TFRecords, each an event in protobuf. Sources: `event.proto` and `summary.proto` of
 * TensorBoard, whose numbers of fields stand beside the fields below, and TensorFlow's description of TFRecords.
 *
 *     record: u64 length | u32 masked CRC-32C of the length | bytes | u32 masked CRC-32C of the bytes, little-endian
 */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { crc32c } from "./crc32c.ts";

/** Values of one moment of a training. */
export interface Event {
  /** Seconds since 1970. */
  readonly wallSeconds: number;
  /** Updates done. */
  readonly step: number;
  /** The format, which begins a file; or that a session begins, which makes readers forget this step and later ones; or scalars by their tags. */
  readonly what: "version" | "session start" | ReadonlyMap<string, number>;
}

/** The format of events, in which sessions say where they begin. */
const FORMAT = "brain.Event:2";

/** Value of `SessionLog.status` for a session that begins. */
const SESSION_START = 1;

/** Encodes an event as a record; scalars are rounded to float32. */
export function encodeEvent({ wallSeconds, step, what }: Event): Uint8Array<ArrayBuffer> {
  const event = new BinaryWriter();
  event.tag(1, WireType.Bit64).double(wallSeconds); // Event.wall_time
  event.tag(2, WireType.Varint).int64(step); // Event.step
  if (what === "version") {
    event.tag(3, WireType.LengthDelimited).string(FORMAT); // Event.file_version
  } else if (what === "session start") {
    event.tag(7, WireType.LengthDelimited).fork(); // Event.session_log
    event.tag(1, WireType.Varint).int32(SESSION_START).join(); // SessionLog.status
  } else {
    event.tag(5, WireType.LengthDelimited).fork(); // Event.summary
    for (const [tag, value] of what) {
      event.tag(1, WireType.LengthDelimited).fork(); // Summary.value
      event.tag(1, WireType.LengthDelimited).string(tag); // Value.tag
      event.tag(2, WireType.Bit32).float(value).join(); // Value.simple_value
    }
    event.join();
  }
  return encodeRecord(event.finish());
}

/** Frames bytes as a TFRecord. */
function encodeRecord(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(8 + 4 + bytes.length + 4);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(bytes.length), true);
  view.setUint32(8, maskedCrc(record.subarray(0, 8)), true);
  record.set(bytes, 12);
  view.setUint32(12 + bytes.length, maskedCrc(bytes), true);
  return record;
}

/** A checksum rotated by 15 bits, plus a constant, as the checksum of data that contains checksums protects little. */
function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (crc >>> 15 | crc << 17) + 0xa282ead8 >>> 0;
}

import type { Value } from "../DeviceTree.ts"

/**
 * A field type whose bytes have the same meaning in every device.
 *
 * @internal
 */
export interface Scalar {
  /** Bytes. A field described with another size is not decoded. */
  readonly size: number
  readonly read: (view: DataView, at: number) => Value
}

/** The marker of a null pointer in the data: the digit 0. */
const NULL_MARKER = 0x30

const readBoolean = (view: DataView, at: number): Value => {
  const byte = view.getUint8(at)
  return byte > 1 ? byte : byte === 1
}

const readNull = (view: DataView, at: number): Value => {
  const byte = view.getUint8(at)
  return byte === NULL_MARKER ? null : byte
}

const int64: Scalar = { size: 8, read: (view, at) => view.getBigInt64(at) }
const uint64: Scalar = { size: 8, read: (view, at) => view.getBigUint64(at) }

const bigEndian: ReadonlyArray<readonly [string, Scalar]> = [
  ["int8", { size: 1, read: (view, at) => view.getInt8(at) }],
  ["int16", { size: 2, read: (view, at) => view.getInt16(at) }],
  ["int32", { size: 4, read: (view, at) => view.getInt32(at) }],
  ["int64", int64],
  ["uint8", { size: 1, read: (view, at) => view.getUint8(at) }],
  ["uint16", { size: 2, read: (view, at) => view.getUint16(at) }],
  ["uint32", { size: 4, read: (view, at) => view.getUint32(at) }],
  ["uint64", uint64]
]

/**
 * The types by QEMU's name. `equal` marks numbers that must already be the same on the receiver.
 *
 * @internal
 */
export const scalars: ReadonlyMap<string, Scalar> = new Map([
  ...bigEndian,
  ...bigEndian.map(([name, scalar]) => [`${name} equal`, scalar] as const),
  ["int32 le", { size: 4, read: (view, at) => view.getInt32(at, true) }],
  ["bool", { size: 1, read: readBoolean }],
  ["timer", int64],
  ["CPU_Double_U", uint64],
  ["nullptr", { size: 1, read: readNull }]
])

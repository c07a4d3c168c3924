/**
 * The state of one device as a tree of named values.
 *
 * ```text
 *   type in the description                    value
 *   int8 … int32, uint8 … uint32               number, big-endian; those that end in " le" little-endian
 *   int64, uint64, timer, CPU_Double_U         bigint; a timer is in ns, -1n if it is not running
 *   bool                                       boolean, or the number if it is neither 0 nor 1
 *   struct, and whatever has fields in it      struct: fields and subsections
 *   nullptr                                    null: a pointer that leads nowhere, one byte
 *   buffer, unused_buffer and all others       bytes, since only the device knows
 *   array of uint8                             bytes
 *   array of anything else                     array
 * ```
 *
 * @since 0.1.0
 */

/**
 * The value of a field.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Value = number | bigint | boolean | null | Uint8Array | StructValue | ReadonlyArray<Value>

/**
 * A field with its position. An array is one field, even if the description lists its elements one by one.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface FieldValue {
  readonly name: string
  /** QEMU's name of the encoding; for an array, that of its elements. */
  readonly type: string
  /** Offset in the section's data. */
  readonly offset: number
  /** Bytes of all elements. */
  readonly length: number
  readonly value: Value
}

/**
 * Fields, followed by subsections, in the order of the data.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface StructValue {
  /** QEMU's name of the layout, if the description has it. */
  readonly name: string | undefined
  /** For a subsection, the version in the data; otherwise the version in the description. */
  readonly version: number | undefined
  readonly fields: ReadonlyArray<FieldValue>
  readonly subsections: ReadonlyArray<StructValue>
}

/**
 * `true` if a value is a struct.
 *
 * @stability stable
 * @category guards
 * @since 0.1.0
 */
export const isStruct = (value: Value | undefined): value is StructValue =>
  typeof value === "object" && value !== null && "fields" in value

/**
 * The value at a path of field names and array indices, or `undefined` if there is none. The name of a subsection
 * selects it.
 *
 * **Example** (The second of a device's counters)
 *
 * ```ts
 * import * as Result from "effect/Result"
 * import { DeviceState, DeviceTree } from "effect-multifd"
 *
 * const section = { name: "apic", instanceId: 0, version: 3, sectionId: 7, data: new Uint8Array(24).fill(1) }
 * const tree = DeviceState.decode(section, {
 *   name: "apic",
 *   instance_id: 0,
 *   fields: [{ name: "lvt", type: "uint32", size: 4, array_len: 6 }]
 * })
 * if (Result.isSuccess(tree)) {
 *   DeviceTree.get(tree.success, "lvt", 1) // => 0x01010101
 * }
 * ```
 *
 * @stability stable
 * @category getters
 * @since 0.1.0
 */
export const get = (self: StructValue, ...path: ReadonlyArray<string | number>): Value | undefined =>
  path.reduce<Value | undefined>(step, self)

const step = (value: Value | undefined, key: string | number): Value | undefined => {
  if (typeof key === "string") return isStruct(value) ? member(value, key) : undefined
  return Array.isArray(value) || value instanceof Uint8Array ? value[key] : undefined
}

const member = (self: StructValue, name: string): Value | undefined => {
  const field = self.fields.find((field) => field.name === name)
  return field === undefined ? self.subsections.find((subsection) => subsection.name === name) : field.value
}

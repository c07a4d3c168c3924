/**
 * The description of one device: fields, structs and subsections, in the order of the data of the device's section.
 *
 * ```text
 *   FULL header │ field │ field │ … │ subsection │ subsection │ … │ footer
 *                 │                    05  str8 name  u32 version │ field │ … │ subsection │ …
 *                 size bytes, or size × array_len
 * ```
 *
 * The keys are those of QEMU's JSON. Unknown keys are kept unchanged.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * One field: a number, a buffer, a struct, or an array of them.
 *
 * **Details**
 *
 * `size` counts the bytes of one element with everything inside it. If a field holds the fields of another struct
 * inline (type `tmp`, lists), `fields` and `subsections` are in the field itself; for a list, only those of its last
 * element.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Field {
  readonly name: string
  /** QEMU's name of the encoding, such as `uint32`, `bool`, `timer`, `buffer`, `struct`. */
  readonly type: string
  /** Bytes of one element. */
  readonly size: number
  /** Number of elements, which all have this shape. Default 1. */
  readonly array_len?: number
  /** Index in an array whose elements are listed one by one. Absent for the last of them. */
  readonly index?: number
  /** The contents of one element, for type `struct`. */
  readonly struct?: Struct
  readonly vmsd_name?: string
  readonly version?: number
  readonly fields?: ReadonlyArray<Field>
  readonly subsections?: ReadonlyArray<Subsection>
  readonly [key: string]: unknown
}

/**
 * Fields, followed by subsections.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Struct {
  readonly vmsd_name?: string
  readonly version?: number
  readonly fields: ReadonlyArray<Field>
  readonly subsections?: ReadonlyArray<Subsection>
  readonly [key: string]: unknown
}

/**
 * A struct that is present only if the device needs it, identified by its name.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Subsection extends Struct {
  readonly vmsd_name: string
}

/**
 * The data of one device section.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Device extends Struct {
  /** The section's name, such as `timer` or `0000:00:02.0/virtio-net`. */
  readonly name: string
  /** Distinguishes sections of the same name. */
  readonly instance_id: number
}

const Rest = [Schema.Record(Schema.String, Schema.Unknown)] as const
const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Fields = Schema.Array(Schema.suspend((): Schema.Codec<Field> => Field))
const Subsections = Schema.Array(Schema.suspend((): Schema.Codec<Subsection> => Subsection))

const structKeys = {
  vmsd_name: Schema.optionalKey(Schema.String),
  version: Schema.optionalKey(Schema.Int),
  fields: Fields,
  subsections: Schema.optionalKey(Subsections)
}

/**
 * Schema of {@link Field}.
 *
 * @stability unstable
 * @category schemas
 * @since 0.1.0
 */
export const Field: Schema.Codec<Field> = Schema.StructWithRest(
  Schema.Struct({
    ...structKeys,
    name: Schema.String,
    type: Schema.String,
    size: Count,
    array_len: Schema.optionalKey(Count),
    index: Schema.optionalKey(Count),
    struct: Schema.optionalKey(Schema.suspend((): Schema.Codec<Struct> => Struct)),
    fields: Schema.optionalKey(Fields)
  }),
  Rest
)

/**
 * Schema of {@link Struct}.
 *
 * @stability unstable
 * @category schemas
 * @since 0.1.0
 */
export const Struct: Schema.Codec<Struct> = Schema.StructWithRest(Schema.Struct(structKeys), Rest)

/**
 * Schema of {@link Subsection}.
 *
 * @stability unstable
 * @category schemas
 * @since 0.1.0
 */
export const Subsection: Schema.Codec<Subsection> = Schema.StructWithRest(
  Schema.Struct({ ...structKeys, vmsd_name: Schema.String }),
  Rest
)

/**
 * Schema of {@link Device}.
 *
 * @stability unstable
 * @category schemas
 * @since 0.1.0
 */
export const Device: Schema.Codec<Device> = Schema.StructWithRest(
  Schema.Struct({ ...structKeys, name: Schema.String, instance_id: Schema.Int }),
  Rest
)

/**
 * The bytes before a subsection's fields: 05, a length byte, the name, a u32 version.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const subsectionHeaderSize = (subsection: Subsection): number => 6 + Buffer.byteLength(subsection.vmsd_name)

/**
 * The bytes of all elements of a field.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const fieldSize = (field: Field): number => field.size * (field.array_len ?? 1)

/**
 * The bytes of a struct, or of the data of a whole device section: from the end of the FULL header to the footer.
 *
 * **Details**
 *
 * Never fails. A sum above 2^50, which no input reaches, is returned as 2^50.
 *
 * **Example** (A device with an optional part)
 *
 * ```ts
 * import { DeviceFields } from "effect-multifd/format"
 *
 * DeviceFields.sizeOf({
 *   fields: [{ name: "lvt", type: "uint32", size: 4, array_len: 6 }],
 *   subsections: [{ vmsd_name: "apic/sipi", version: 1, fields: [{ name: "sipi", type: "uint8", size: 1 }] }]
 * }) // => 24 + 15 + 1
 * ```
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const sizeOf = (struct: Struct): number => {
  let sum = 0
  for (const field of struct.fields) sum += fieldSize(field)
  for (const subsection of struct.subsections ?? []) sum += subsectionHeaderSize(subsection) + sizeOf(subsection)
  return Math.min(sum, MAX_SIZE)
}

/** Far enough below 2^53 that the sum of a file position and a size is still exact. */
const MAX_SIZE = 2 ** 50

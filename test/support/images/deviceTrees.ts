/**
 * Trees of a device's state: put back into bytes, and made up together with the description of those.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import type { Field, Struct, Subsection } from "../../../src/format/devices/DeviceFields.ts"
import * as DeviceTree from "../../../src/format/devices/DeviceTree.ts"
import { between } from "../arbitraries.ts"
import { bytes } from "../bytes.ts"

type Writer = (target: Buffer, value: never) => unknown

/** How numbers are written, by type: size, and what Node does for it. */
const numbers: Readonly<Record<string, readonly [size: number, write: Writer]>> = {
  int8: [1, (target, value) => target.writeInt8(value)],
  int16: [2, (target, value) => target.writeInt16BE(value)],
  int32: [4, (target, value) => target.writeInt32BE(value)],
  int64: [8, (target, value) => target.writeBigInt64BE(value)],
  uint8: [1, (target, value) => target.writeUInt8(value)],
  uint16: [2, (target, value) => target.writeUInt16BE(value)],
  uint32: [4, (target, value) => target.writeUInt32BE(value)],
  uint64: [8, (target, value) => target.writeBigUInt64BE(value)],
  "int32 le": [4, (target, value) => target.writeInt32LE(value)],
  timer: [8, (target, value) => target.writeBigInt64BE(value)],
  CPU_Double_U: [8, (target, value) => target.writeBigUInt64BE(value)],
  bool: [1, (target, value) => target.writeUInt8(Number(value))]
}

const encodeValue = (type: string, value: DeviceTree.Value): Uint8Array => {
  if (value instanceof Uint8Array) return value
  if (value === null) return Buffer.from("0")
  if (DeviceTree.isStruct(value)) return encodeTree(value)
  if (Array.isArray(value)) return Buffer.concat(value.map((element) => encodeValue(type, element)))
  const [size, write] = numbers[type.replace(" equal", "")]!
  const target = Buffer.alloc(size)
  write(target, value as never)
  return target
}

const encodeSubsection = (subsection: DeviceTree.StructValue): Uint8Array => {
  const name = Buffer.from(subsection.name!)
  const version = Buffer.alloc(4)
  version.writeUInt32BE(subsection.version!)
  return Buffer.concat([Buffer.from([5, name.length]), name, version, encodeTree(subsection)])
}

/** The bytes that a tree was made of. */
export const encodeTree = (tree: DeviceTree.StructValue): Uint8Array =>
  new Uint8Array(
    Buffer.concat([
      ...tree.fields.map(({ type, value }) => encodeValue(type, value)),
      ...tree.subsections.map(encodeSubsection)
    ])
  )

/** A struct, as it is described and as it reads. */
export interface Sample {
  readonly struct: Struct
  readonly tree: DeviceTree.StructValue
}

/** One element of a field. */
interface Element {
  readonly type: string
  readonly more: Partial<Field>
  readonly value: DeviceTree.Value
}

const oneOf = <A>(...choices: ReadonlyArray<Arbitrary.Arbitrary<A>>): Arbitrary.Arbitrary<A> =>
  Arbitrary.flatMap(between(0, choices.length - 1), (choice) => choices[choice]!)

const bigint = (minimum: bigint, maximum: bigint): Arbitrary.Arbitrary<bigint> =>
  Arbitrary.schema(Schema.BigInt.check(Schema.isBetweenBigInt({ minimum, maximum })))

const signed64 = bigint(-(2n ** 63n), 2n ** 63n - 1n)
const unsigned64 = bigint(0n, 2n ** 64n - 1n)

const ranges: Readonly<Record<string, Arbitrary.Arbitrary<number | bigint | boolean>>> = {
  int8: between(-128, 127),
  int16: between(-(2 ** 15), 2 ** 15 - 1),
  int32: between(-(2 ** 31), 2 ** 31 - 1),
  int64: signed64,
  uint8: between(0, 255),
  uint16: between(0, 2 ** 16 - 1),
  uint32: between(0, 2 ** 32 - 1),
  uint64: unsigned64,
  "int32 le": between(-(2 ** 31), 2 ** 31 - 1),
  timer: signed64,
  CPU_Double_U: unsigned64,
  bool: oneOf<boolean | number>(Arbitrary.schema(Schema.Boolean), between(2, 255)),
  "uint32 equal": between(0, 2 ** 32 - 1)
}

const scalars: ReadonlyArray<Arbitrary.Arbitrary<Element>> = Object.entries(ranges).map(([type, range]) =>
  Arbitrary.map(range, (value) => ({ type, more: {}, value }))
)

/** Types whose bytes only the device knows, and some that contradict their size. */
const opaque: Arbitrary.Arbitrary<Element> = Arbitrary.all({
  type: oneOf(...["buffer", "unused_buffer", "pci config", "virtio", "QTAILQ", "", "struct"].map(Arbitrary.Constant)),
  more: Arbitrary.Constant({}),
  value: bytes(20)
})

const nullPointer: Arbitrary.Arbitrary<Element> = Arbitrary.Constant({ type: "nullptr", more: {}, value: null })

/** An array of numbers that the description mentions once. */
const compressed: Arbitrary.Arbitrary<Element> = oneOf(
  ...Object.entries(ranges).map(([type, range]) =>
    Arbitrary.map(Arbitrary.array<number | bigint | boolean>(range, { maxLength: 5 }), (values) => ({
      type,
      more: { array_len: values.length },
      value: type === "uint8" ? Uint8Array.from(values, Number) : values
    }))
  )
)

const element = (depth: number): Arbitrary.Arbitrary<Element> =>
  depth === 0
    ? oneOf(...scalars, opaque, nullPointer)
    : oneOf(
        oneOf(...scalars, opaque),
        Arbitrary.map(sample(depth - 1), ({ struct, tree }) => ({ type: "struct", more: { struct }, value: tree })),
        Arbitrary.map(sample(depth - 1), ({ struct, tree }) => ({ type: "tmp", more: { ...struct }, value: tree }))
      )

interface Member {
  readonly fields: ReadonlyArray<Omit<Field, "name">>
  readonly value: DeviceTree.Value
  readonly type: string
}

const sizeOf = ({ more, type, value }: Element): number => {
  const all = encodeValue(type, value).length
  return more.array_len === undefined ? all : numbers[type.replace(" equal", "")]![0]
}

const single = (element: Element): Member => ({
  fields: [{ type: element.type, size: sizeOf(element), ...element.more }],
  value: element.value,
  type: element.type
})

/** An array whose elements are listed one by one; the last one has no index. */
const listed = (elements: ReadonlyArray<Element>): Member => ({
  fields: elements.map((element, index) => ({
    type: element.type,
    size: sizeOf(element),
    ...(index === elements.length - 1 ? {} : { index }),
    ...element.more
  })),
  value: elements.map(({ value }) => value),
  type: (elements.find(({ type }) => type !== "nullptr") ?? elements[0]!).type
})

const listedScalars = oneOf(
  ...scalars.map((scalar) => Arbitrary.array(oneOf(scalar, nullPointer), { minLength: 2, maxLength: 4 }))
)

const member = (depth: number): Arbitrary.Arbitrary<Member> =>
  oneOf(
    Arbitrary.map(element(depth), single),
    Arbitrary.map(compressed, single),
    Arbitrary.map(listedScalars, listed),
    Arbitrary.map(
      Arbitrary.array(
        Arbitrary.map(sample(Math.max(0, depth - 1)), ({ struct, tree }): Element => {
          return { type: "struct", more: { struct }, value: tree }
        }),
        { minLength: 2, maxLength: 3 }
      ),
      listed
    )
  )

const subsection = (depth: number): Arbitrary.Arbitrary<Sample & { readonly struct: Subsection }> =>
  Arbitrary.map(
    Arbitrary.all([between(0, 99), between(0, 2 ** 32 - 1), sample(depth)]),
    ([name, version, { struct, tree }]) => {
      const named = `device/${name}`
      return { struct: { ...struct, vmsd_name: named, version }, tree: { ...tree, name: named, version } }
    }
  )

const acceptConnections = (
  members: ReadonlyArray<Member>,
  subsections: ReadonlyArray<Sample & { struct: Subsection }>
): Sample => {
  let offset = 0
  const fields = members.map(({ type, value }, index) => {
    const length = encodeValue(type, value).length
    offset += length
    return { name: `f${index}`, type, offset: offset - length, length, value }
  })
  return {
    struct: {
      vmsd_name: "sample",
      version: 3,
      fields: members.flatMap(({ fields }, index) => fields.map((field) => ({ ...field, name: `f${index}` }) as Field)),
      ...(subsections.length === 0 ? {} : { subsections: subsections.map(({ struct }) => struct) })
    },
    tree: { name: "sample", version: 3, fields, subsections: subsections.map(({ tree }) => tree) }
  }
}

/** Structs of any shape, `depth` levels deep. Offsets in the tree count from each struct's own beginning. */
export const sample = (depth: number): Arbitrary.Arbitrary<Sample> =>
  Arbitrary.map(
    Arbitrary.all([
      Arbitrary.array(depth === 0 ? Arbitrary.map(element(0), single) : member(depth), {
        maxLength: depth === 0 ? 3 : 5
      }),
      depth === 0 ? Arbitrary.Constant([]) : Arbitrary.array(subsection(depth - 1), { maxLength: 2 })
    ]),
    ([members, subsections]) => acceptConnections(members, subsections)
  )

/** The tree with all offsets set to 0, for comparison with one whose offsets count from elsewhere. */
export const withoutOffsets = (value: DeviceTree.Value): DeviceTree.Value => {
  if (Array.isArray(value)) return value.map(withoutOffsets)
  if (!DeviceTree.isStruct(value)) return value
  return {
    ...value,
    fields: value.fields.map((field) => ({ ...field, offset: 0, value: withoutOffsets(field.value) })),
    subsections: value.subsections.map((subsection) => withoutOffsets(subsection) as DeviceTree.StructValue)
  }
}

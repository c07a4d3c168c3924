import { type Field, fieldSize, sizeOf, type Struct, type Subsection, subsectionHeaderSize } from "../DeviceFields.ts"
import type { FieldValue, StructValue, Value } from "../DeviceTree.ts"
import { SectionType } from "../../internal/constants.ts"
import { view } from "../../internal/cursor.ts"
import { type Scalar, scalars } from "./scalars.ts"

/**
 * Most fields and elements decoded in one section, numbers in arrays not counted: a million. The remaining ones stay
 * bytes. A field can have size zero, so the length of the data alone bounds neither time nor memory.
 *
 * @internal
 */
export const MAX_NODES = 1_000_000

/**
 * Decodes the data of one section. A field whose contents do not match its size stays bytes.
 *
 * @internal
 */
export class FieldDecoder {
  private readonly data: Uint8Array
  private readonly view: DataView
  private readonly sizes = new Map<Struct, number>()
  private nodesLeft = MAX_NODES

  constructor(data: Uint8Array) {
    this.data = data
    this.view = view(data)
  }

  /** The struct that occupies the bytes from `start` to `end`, or `undefined` if the bytes cannot be that struct. */
  struct(struct: Struct, start: number, end: number): StructValue | undefined {
    if (this.nodesLeft < struct.fields.length || this.sizeOf(struct) !== end - start) return undefined
    const fields = groups(struct.fields)
    this.nodesLeft -= struct.fields.length
    let at = start
    const values = fields.map((group) => {
      const value = this.group(group, at)
      at += value.length
      return value
    })
    const subsections: Array<StructValue> = []
    for (const described of struct.subsections ?? []) {
      const size = subsectionHeaderSize(described) + this.sizeOf(described)
      const subsection = this.subsection(described, at, at + size)
      if (subsection === undefined) return undefined
      subsections.push(subsection)
      at += size
    }
    return { name: struct.vmsd_name, version: struct.version, fields: values, subsections }
  }

  /** 05, a length byte, the name, a u32 version, then the struct. */
  private subsection(described: Subsection, start: number, end: number): StructValue | undefined {
    const name = Buffer.from(described.vmsd_name)
    const body = start + subsectionHeaderSize(described)
    if (this.data[start] !== SectionType.subsection || this.data[start + 1] !== name.length) return undefined
    if (name.compare(this.data, start + 2, body - 4) !== 0) return undefined
    const struct = this.struct(described, body, end)
    return struct === undefined ? undefined : { ...struct, version: this.view.getUint32(body - 4) }
  }

  private group(group: readonly [Field, ...Array<Field>], offset: number): FieldValue {
    const [first] = group
    const { type } = group.find((field) => field.type !== "nullptr") ?? first
    const length = group.reduce((sum, field) => sum + fieldSize(field), 0)
    const value = isArray(group) ? this.array(group, offset) : this.element(first, offset)
    return { name: first.name, type, offset, length, value }
  }

  private array(group: ReadonlyArray<Field>, offset: number): Value {
    const [first] = group
    if (group.length === 1 && first?.type === "uint8") return this.data.subarray(offset, offset + fieldSize(first))
    let at = offset
    return group.flatMap((field) => {
      const values = this.elements(field, at)
      at += fieldSize(field)
      return values
    })
  }

  private elements(field: Field, offset: number): Array<Value> {
    const { array_len: count = 1, size } = field
    if (scalarOf(field) === undefined) {
      if (count > this.nodesLeft) return [this.data.subarray(offset, offset + fieldSize(field))]
      this.nodesLeft -= count
    }
    return Array.from({ length: count }, (_, i) => this.element(field, offset + i * size))
  }

  private element(field: Field, offset: number): Value {
    const scalar = scalarOf(field)
    if (scalar !== undefined) return scalar.read(this.view, offset)
    const end = offset + field.size
    const inside = insideOf(field)
    const struct = inside === undefined ? undefined : this.struct(inside, offset, end)
    return struct ?? this.data.subarray(offset, end)
  }

  private sizeOf(struct: Struct): number {
    const known = this.sizes.get(struct)
    if (known !== undefined) return known
    const size = sizeOf(struct)
    this.sizes.set(struct, size)
    return size
  }
}

const scalarOf = (field: Field): Scalar | undefined => {
  const scalar = scalars.get(field.type)
  return scalar?.size === field.size ? scalar : undefined
}

const insideOf = (field: Field): Struct | undefined => field.struct ?? (isStruct(field) ? field : undefined)

/** `true` if a field is a struct itself, as with type `tmp`. */
const isStruct = (field: Field): field is Field & Struct => field.fields !== undefined

const isArray = (group: ReadonlyArray<Field>): boolean =>
  group.length > 1 || group.some((field) => field.array_len !== undefined || field.index !== undefined)

/**
 * Consecutive fields of one name are the elements of one array: QEMU numbers the names if one struct has several fields
 * of the same name.
 */
const groups = (fields: ReadonlyArray<Field>): ReadonlyArray<readonly [Field, ...Array<Field>]> => {
  const all: Array<[Field, ...Array<Field>]> = []
  for (const field of fields) {
    const last = all.at(-1)
    if (last?.[0].name === field.name) last.push(field)
    else all.push([field])
  }
  return all
}

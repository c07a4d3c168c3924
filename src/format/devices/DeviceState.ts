/**
 * The state of a machine's devices: the FULL sections between RAM's END and the end of the stream.
 *
 * ```text
 *   04  u32 section id  str8 name  u32 instance  u32 version │ data │ 7e  u32 section id     once for each device
 * ```
 *
 * A section does not contain the length of its data, so parsing the state needs the description. The data belongs to
 * the device, and everything here preserves it byte for byte.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../../ram/TaggedError.ts"
import type { Description } from "./Description.ts"
import * as DeviceFields from "./DeviceFields.ts"
import type * as DeviceTree from "./DeviceTree.ts"
import * as Finding from "../Finding.ts"
import { ByteWriter } from "../internal/byteWriter.ts"
import { FieldDecoder } from "./internal/fieldDecoder.ts"
import { SectionSplitter } from "./internal/sectionSplitter.ts"
import * as MigrationStream from "../stream/MigrationStream.ts"
import { number, type DeviceSection, type SectionInput, type Split } from "./internal/deviceStateModel.ts"

export type { DeviceSection, SectionInput, Split } from "./internal/deviceStateModel.ts"

/**
 * A section that no stream can carry. Nothing was written. Exit code 2.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class DeviceSectionError extends TaggedError<DeviceSectionError>()("DeviceSectionError", {
  /** The section's name. */
  section: Schema.String,
  expected: Schema.String,
  found: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 2
  override get message() {
    return `device section "${this.section}": expected ${this.expected}, found ${this.found}`
  }
}

/**
 * Splits device state into its sections: the bytes from the end of RAM's END up to the byte that ends the stream.
 *
 * **Details**
 *
 * Total; copies nothing. A section has the size that the description gives. That size may be wrong (QEMU gives wrong
 * sizes for some arrays), or there may be no description. Then the section ends at the first place where its own footer
 * is followed by another section or by the end. A `description-wrong` finding reports that. Sections without footers
 * need a correct description.
 *
 * **Example** (Names of the devices in a stream)
 *
 * ```ts
 * import { DeviceState } from "effect-multifd"
 *
 * const bytes = DeviceState.encode([{ name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(64) }])
 * DeviceState.split(bytes, undefined).sections.map(({ name }) => name) // => ["cpu"]
 * ```
 *
 * @stability stable
 * @category decoding
 * @since 0.1.0
 */
export const split = (
  bytes: Uint8Array,
  description: Description | undefined,
  options?: {
    /** The file offset of `bytes`, for findings. Default 0. */
    readonly position?: number | undefined
    /**
     * `true` if sections end with a footer: always, except for machine types of version 2.3 and older. Default `true`.
     */
    readonly footers?: boolean | undefined
  }
): Split => new SectionSplitter(bytes, description, options?.footers ?? true, options?.position ?? 0).run()

/**
 * Decodes the data of one section into named values, by its description. Fails with `description-wrong` if the
 * description belongs to other data. A field stays bytes if its contents are not described, or not as long as the
 * field.
 *
 * **Example** (A number inside a device)
 *
 * ```ts
 * import * as Result from "effect/Result"
 * import { DeviceState } from "effect-multifd"
 *
 * const section = { name: "cpu", instanceId: 0, version: 1, sectionId: 3, data: new Uint8Array([0, 0, 1, 0]) }
 * const tree = DeviceState.decode(section, {
 *   name: "cpu",
 *   instance_id: 0,
 *   fields: [{ name: "halted", type: "uint32", size: 4 }]
 * })
 * Result.map(tree, ({ fields }) => fields[0]?.value) // => Result.succeed(256)
 * ```
 *
 * @see {@link DeviceTree} for which types become which values
 * @stability stable
 * @category decoding
 * @since 0.1.0
 */
export const decode = (
  section: DeviceSection,
  device: DeviceFields.Device,
  options?: {
    /** The file offset of the section's data, for the finding. Default 0. */
    readonly position?: number | undefined
  }
): Result.Result<DeviceTree.StructValue, Finding.Finding> => {
  const { data, name } = section
  const tree = new FieldDecoder(data).struct(device, 0, data.length)
  if (tree !== undefined) return Result.succeed(tree)
  const [offset, found] = [options?.position ?? 0, `${data.length} bytes that do not agree with it`]
  const expected = `the ${DeviceFields.sizeOf(device)} bytes of "${name}" that the description lists`
  return Result.fail(Finding.make({ code: "description-wrong", offset, expected, found }))
}

/**
 * Validates sections that the caller made: names of 1 to 255 bytes, numbers that fit in 32 bits, and valid fields that
 * add up to the data.
 *
 * @stability stable
 * @category encoding
 * @since 0.1.0
 */
export const validate = (
  sections: ReadonlyArray<SectionInput>
): Result.Result<ReadonlyArray<SectionInput>, DeviceSectionError> => {
  for (const section of sections) {
    const problem = problemOf(section)
    if (problem !== undefined) {
      const [expected, found] = problem
      return Result.fail(new DeviceSectionError({ section: section.name, expected, found }))
    }
  }
  return Result.succeed(sections)
}

type Problem = readonly [expected: string, found: string]

const problemOf = (section: SectionInput): Problem | undefined =>
  problemOfName(section.name) ??
  problemOfNumber("instanceId", section.instanceId) ??
  problemOfNumber("version", section.version) ??
  problemOfNumber("sectionId", section.sectionId ?? 0) ??
  (section.fields === undefined ? undefined : problemOfFields(section.fields, section.data.length))

const problemOfName = (name: string): Problem | undefined => {
  const bytes = Buffer.byteLength(name)
  if (bytes < 1 || bytes > 255) return ["a name of 1 to 255 bytes", `${bytes} bytes`]
  return name.isWellFormed() ? undefined : ["a name in Unicode", "half of a surrogate pair"]
}

const problemOfNumber = (what: string, value: number): Problem | undefined => {
  const ok = Number.isInteger(value) && value >= 0 && value <= MAX_U32
  return ok ? undefined : [`${what} from 0 to ${MAX_U32}`, String(value)]
}

const problemOfFields = (fields: ReadonlyArray<DeviceFields.Field>, length: number): Problem | undefined => {
  if (!isFields(fields)) return ["fields as in a description", "something else"]
  const size = DeviceFields.sizeOf({ fields })
  return size === length ? undefined : [`fields of ${length} bytes`, `${size} bytes`]
}

const isFields = Schema.is(Schema.Array(DeviceFields.Field))

const MAX_U32 = 0xffff_ffff

/**
 * Joins sections, each with its footer: the inverse of `split`. The sections must pass `validate`.
 *
 * @stability stable
 * @category encoding
 * @since 0.1.0
 */
export const encode = (
  sections: ReadonlyArray<SectionInput>,
  options?: {
    /** Default `true`. */
    readonly footers?: boolean | undefined
  }
): Uint8Array => {
  const out = new ByteWriter()
  for (const section of number(sections)) {
    out.append(MigrationStream.encodeSectionHeader({ type: "full", ...section })).append(section.data)
    if (options?.footers ?? true) out.append(MigrationStream.encodeFooter(section.sectionId))
  }
  return out.finish()
}

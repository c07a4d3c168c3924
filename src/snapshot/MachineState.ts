/**
 * Everything of a machine that is not RAM: the contents of an image besides its pages.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Description from "../format/devices/Description.ts"
import * as DeviceState from "../format/devices/DeviceState.ts"
import * as ImageStream from "../format/image/ImageStream.ts"
import type { Configuration } from "../format/stream/MigrationStream.ts"
import type { FileIdentity } from "../io/files/FileIdentity.ts"
import * as RamBlock from "../ram/RamBlock.ts"
import * as ByteSource from "./ByteSource.ts"

/**
 * The parts of a migration stream that are not RAM, each byte for byte.
 *
 * **Details**
 *
 * `Image.machineState` reads those of an image; `fromSections` makes them from device sections.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface MachineState<out E = never> {
  /** The configuration section; `undefined` if the sender left it out (`send-configuration=off`). */
  readonly configuration: Configuration | undefined
  /** Commands and sections between the configuration and RAM's START. */
  readonly prelude: Uint8Array
  /** Sections between RAM's START and END that are not RAM's: devices set up early. */
  readonly early: Uint8Array
  /** `true` if SWITCHOVER_START comes before RAM's END (machine types 10.0 and later). */
  readonly switchoverStart: boolean
  /** `true` if sections end with a footer (all machine types since 2.4). */
  readonly footers: boolean
  /** The id of RAM's section, unique among all sections. */
  readonly ramSectionId: number
  /** The device sections after RAM's END, without the end-of-stream byte. */
  readonly deviceState: ByteSource.ByteSource<E>
  /** The JSON description of the device state; empty if there is none. */
  readonly description: ByteSource.ByteSource<E>
  /** The file from which these are still to be read: it must not be written in place in the meantime. */
  readonly origin: FileIdentity | undefined
}

/**
 * The machine type of an image whose memory belongs to no QEMU machine. It is QEMU's name of the machine without any
 * hardware.
 *
 * @stability stable
 * @category constants
 * @since 0.1.0
 */
export const DEFAULT_MACHINE: string = "none"

interface Machine {
  /** The machine type in the configuration section. Default `none`. */
  readonly machine?: string | undefined
  /** Bytes in a page. Default 4096, which is not written to the stream. */
  readonly pageSize?: number | undefined
}

const withSections = (
  { machine = DEFAULT_MACHINE, pageSize = RamBlock.defaultPageSize }: Machine,
  sections: ReadonlyArray<DeviceState.SectionInput>
): MachineState => {
  const unusual = pageSize === RamBlock.defaultPageSize ? {} : { targetPageBits: Math.log2(pageSize) }
  return {
    configuration: { machine, capabilities: [], ...unusual },
    prelude: new Uint8Array(0),
    early: new Uint8Array(0),
    switchoverStart: false,
    footers: true,
    ramSectionId: ImageStream.RAM_SECTION_ID,
    deviceState: ByteSource.fromBytes(DeviceState.encode(sections)),
    description: ByteSource.fromBytes(Description.describe(sections)),
    origin: undefined
  }
}

/**
 * The state of a machine without devices, for an image that holds only memory.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const empty = (options: Machine): MachineState => withSections(options, [])

/**
 * Makes the state of a machine from device sections, with a description that makes them readable. Fails with
 * `DeviceSectionError` for a section that no stream can carry.
 *
 * **Example** (An emulator's registers with its memory)
 *
 * ```ts
 * import { MachineState } from "effect-multifd"
 *
 * export const state = MachineState.fromSections({
 *   machine: "my-emulator-1",
 *   sections: [{ name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(64) }]
 * })
 * ```
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const fromSections = (
  options: Machine & { readonly sections: ReadonlyArray<DeviceState.SectionInput> }
): Effect.Effect<MachineState, DeviceState.DeviceSectionError> =>
  Effect.map(Effect.fromResult(DeviceState.validate(options.sections)), (sections) => withSections(options, sections))

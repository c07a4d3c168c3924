import type * as DeviceFields from "../DeviceFields.ts"
import type * as Finding from "../../Finding.ts"

/**
 * One FULL section: the state of one device.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface DeviceSection {
  /** The device, such as `timer` or `0000:00:02.0/virtio-net`: 1 to 255 bytes of UTF-8. */
  readonly name: string
  /** Tells devices of the same name apart, u32. */
  readonly instanceId: number
  /** Version of the data's layout, u32. */
  readonly version: number
  /** The number that the stream gives the section, u32. */
  readonly sectionId: number
  /** What the device wrote; of a section that was split off, a view of the device state. */
  readonly data: Uint8Array
}

/**
 * A section of one's own.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface SectionInput {
  readonly name: string
  readonly instanceId: number
  readonly version: number
  readonly data: Uint8Array
  /** Default: the first numbers that no other section has, from 16 on, which is above RAM's. */
  readonly sectionId?: number | undefined
  /** What the data consist of, for the description: exactly as many bytes as the data have. Default: one buffer. */
  readonly fields?: ReadonlyArray<DeviceFields.Field> | undefined
}

/**
 * Device state that was taken apart as far as possible: `encode(sections)` and then `rest` are the bytes it came from.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Split {
  readonly sections: ReadonlyArray<DeviceSection>
  /** What could not be taken apart, from its first section to the end; empty if all went well. */
  readonly rest: Uint8Array
  /** Warnings: where the description disagrees with the bytes. */
  readonly findings: ReadonlyArray<Finding.Finding>
}

/** Above the numbers that QEMU gives to RAM and whatever is set up before it. */
const FIRST_SECTION_ID = 16

export const number = (sections: ReadonlyArray<SectionInput>): ReadonlyArray<DeviceSection> => {
  const taken = new Set(sections.map((section) => section.sectionId))
  let next = FIRST_SECTION_ID
  const free = () => {
    while (taken.has(next)) next++
    return next++
  }
  return sections.map((section) => ({ ...section, sectionId: section.sectionId ?? free() }))
}

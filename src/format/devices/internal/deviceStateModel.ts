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
  /** Distinguishes devices of the same name, u32. */
  readonly instanceId: number
  /** Version of the data's layout, u32. */
  readonly version: number
  /** The section's number in the stream, u32. */
  readonly sectionId: number
  /** The device's data; after `split`, a view of the device state. */
  readonly data: Uint8Array
}

/**
 * A section made by the caller.
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
  /** Default: the first numbers that no other section has, starting at 16, which is above RAM's. */
  readonly sectionId?: number | undefined
  /** The contents of the data, for the description: exactly as many bytes as the data. Default: one buffer. */
  readonly fields?: ReadonlyArray<DeviceFields.Field> | undefined
}

/**
 * Device state that was split as far as possible: the bytes of `encode(sections)` followed by `rest` are the original.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Split {
  readonly sections: ReadonlyArray<DeviceSection>
  /** The remainder, from the first section that could not be parsed to the end; empty if all sections were parsed. */
  readonly rest: Uint8Array
  /** Warnings: differences between the description and the bytes. */
  readonly findings: ReadonlyArray<Finding.Finding>
}

/** Above the numbers that QEMU gives to RAM and to sections set up before it. */
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

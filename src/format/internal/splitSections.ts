import * as Result from "effect/Result"
import type { Description } from "../Description.ts"
import { sizeOf } from "../DeviceFields.ts"
import type { DeviceSection, Split } from "../DeviceState.ts"
import * as Finding from "../Finding.ts"
import * as MigrationStream from "../MigrationStream.ts"
import { SectionType } from "./constants.ts"
import { view } from "./cursor.ts"
import { DeviceQueue } from "./deviceQueue.ts"

/** Section type and footer's id. */
const FOOTER_BYTES = 5

/** @internal */
export const splitSections = (
  bytes: Uint8Array,
  description: Description | undefined,
  footers: boolean,
  position: number
): Split => {
  const queue = new DeviceQueue(description?.devices ?? [])
  const sections: Array<DeviceSection> = []
  const findings: Array<Finding.Finding> = []
  let at = 0
  while (at < bytes.length) {
    const opening = openingAt(bytes, at)
    if (opening === undefined) break
    const { end: start, section } = opening
    const device = queue.take(section.name, section.instanceId)
    const described = device === undefined ? undefined : sizeOf(device)
    const size = described !== undefined && endsAt(bytes, start + described, section, footers) ? described : undefined
    const end = size === undefined ? searchEnd(bytes, start, section, footers) : start + size
    if (end === undefined) break
    if (size === undefined && description !== undefined) {
      findings.push(wrongSize(position + at, section.name, described, end - start))
    }
    sections.push({ ...section, data: bytes.subarray(start, end) })
    at = end + (footers ? FOOTER_BYTES : 0)
  }
  const rest = bytes.subarray(at)
  if (rest.length > 0) findings.push(unreadable(position + at))
  return { sections, rest, findings }
}

type Opening = Omit<DeviceSection, "data">

const openingAt = (bytes: Uint8Array, at: number): { section: Opening; end: number } | undefined => {
  if (bytes[at] !== SectionType.full) return undefined
  const decoded = MigrationStream.decodeSectionHeader(bytes, at)
  if (Result.isFailure(decoded) || decoded.success.value.type !== "full") return undefined
  const { instanceId, name, sectionId, version } = decoded.success.value
  return { section: { name, instanceId, version, sectionId }, end: decoded.success.end }
}

/** Whether a section's data can end at `at`. */
const endsAt = (bytes: Uint8Array, at: number, { sectionId }: Opening, footers: boolean): boolean => {
  if (!footers) return at === bytes.length || bytes[at] === SectionType.full
  if (at + FOOTER_BYTES > bytes.length) return false
  return bytes[at] === SectionType.footer && view(bytes).getUint32(at + 1) === sectionId
}

/** The first place where the section's footer is followed by another section, or by nothing. */
const searchEnd = (bytes: Uint8Array, from: number, { sectionId }: Opening, footers: boolean): number | undefined => {
  if (!footers) return undefined
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const footer = MigrationStream.encodeFooter(sectionId)
  for (let at = buffer.indexOf(footer, from); at >= 0; at = buffer.indexOf(footer, at + 1)) {
    const next = at + FOOTER_BYTES
    if (next === bytes.length || isPlausible(openingAt(bytes, next)?.section)) return at
  }
  return undefined
}

/** Devices have names that can be read, random bytes have not. */
const isPlausible = (section: Opening | undefined): boolean =>
  section !== undefined && section.name !== "" && !/\p{Cc}/u.test(section.name)

const wrongSize = (offset: number, name: string, described: number | undefined, size: number): Finding.Finding =>
  Finding.make({
    code: "description-wrong",
    offset,
    expected:
      described === undefined ? `a description of section "${name}"` : `${described} bytes in section "${name}"`,
    found: described === undefined ? "none" : `${size} bytes`
  })

const unreadable = (offset: number): Finding.Finding =>
  Finding.make({
    code: "device-state-unreadable",
    offset,
    expected: "a device section up to its end",
    found: "bytes that are none"
  })

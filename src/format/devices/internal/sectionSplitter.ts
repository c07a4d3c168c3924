import * as Result from "effect/Result"
import type { Description } from "../Description.ts"
import { sizeOf } from "../DeviceFields.ts"
import type { DeviceSection, Split } from "./deviceStateModel.ts"
import * as Finding from "../../Finding.ts"
import * as MigrationStream from "../../stream/MigrationStream.ts"
import { SectionType } from "../../internal/constants.ts"
import { view } from "../../internal/cursor.ts"
import { DeviceQueue } from "./deviceQueue.ts"
import { MAX_SECTIONS } from "./sectionWalk.ts"

/** Section type and the section's id. */
const FOOTER_BYTES = 5

/**
 * Most false footers: bytes that look like a section's footer and are not. An id of four bytes rarely occurs by chance,
 * so more of them are bytes crafted to keep the search busy.
 *
 * @internal
 */
export const MAX_FALSE_FOOTERS = 10_000

/**
 * Splits device state, one section after another.
 *
 * @internal
 */
export class SectionSplitter {
  private readonly bytes: Uint8Array
  private readonly footers: boolean
  private readonly position: number
  private readonly described: boolean
  private readonly queue: DeviceQueue
  private readonly sections: Array<DeviceSection> = []
  private readonly findings: Array<Finding.Finding> = []
  private at = 0
  private falseFooters = 0

  constructor(bytes: Uint8Array, description: Description | undefined, footers: boolean, position: number) {
    this.bytes = bytes
    this.footers = footers
    this.position = position
    this.described = description !== undefined
    this.queue = new DeviceQueue(description?.devices ?? [])
  }

  run(): Split {
    while (this.at < this.bytes.length && this.sections.length < MAX_SECTIONS && this.next());
    const rest = this.bytes.subarray(this.at)
    if (rest.length > 0) this.findings.push(unreadable(this.position + this.at))
    return { sections: this.sections, rest, findings: this.findings }
  }

  /** Splits off one section; `false` if that is impossible. */
  private next(): boolean {
    const opening = openingAt(this.bytes, this.at)
    if (opening === undefined) return false
    const { end: start, section } = opening
    const device = this.queue.take(section.name, section.instanceId)
    const size = device === undefined ? undefined : sizeOf(device)
    const right = size !== undefined && this.endsAt(start + size, section.sectionId)
    const end = right ? start + size : this.searchEnd(start, section.sectionId)
    if (end === undefined) return false
    if (this.described && !right)
      this.findings.push(wrongSize(this.position + this.at, section.name, size, end - start))
    this.sections.push({ ...section, data: this.bytes.subarray(start, end) })
    this.at = end + (this.footers ? FOOTER_BYTES : 0)
    return true
  }

  /** `true` if the data of section `sectionId` can end at `at`. */
  private endsAt(at: number, sectionId: number): boolean {
    if (!this.footers) return at === this.bytes.length || this.bytes[at] === SectionType.full
    if (at + FOOTER_BYTES > this.bytes.length) return false
    return this.bytes[at] === SectionType.footer && view(this.bytes).getUint32(at + 1) === sectionId
  }

  /** The first place where the section's footer is followed by another section or by the end. */
  private searchEnd(from: number, sectionId: number): number | undefined {
    if (!this.footers) return undefined
    const { buffer, byteLength, byteOffset } = this.bytes
    const haystack = Buffer.from(buffer, byteOffset, byteLength)
    const footer = MigrationStream.encodeFooter(sectionId)
    let at = haystack.indexOf(footer, from)
    while (at >= 0 && !this.canFollow(at + FOOTER_BYTES)) {
      if (++this.falseFooters > MAX_FALSE_FOOTERS) return undefined
      at = haystack.indexOf(footer, at + FOOTER_BYTES)
    }
    return at < 0 ? undefined : at
  }

  /** Device names are printable; random bytes are not. */
  private canFollow(at: number): boolean {
    if (at === this.bytes.length) return true
    const name = openingAt(this.bytes, at)?.section.name ?? ""
    return name !== "" && !/\p{Cc}/u.test(name)
  }
}

type SectionStart = Omit<DeviceSection, "data">

const openingAt = (bytes: Uint8Array, at: number): { section: SectionStart; end: number } | undefined => {
  if (bytes[at] !== SectionType.full) return undefined
  const decoded = MigrationStream.decodeSectionHeader(bytes, at)
  if (Result.isFailure(decoded) || decoded.success.value.type !== "full") return undefined
  const { instanceId, name, sectionId, version } = decoded.success.value
  return { section: { name, instanceId, version, sectionId }, end: decoded.success.end }
}

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
    expected: "a complete device section",
    found: "other bytes"
  })

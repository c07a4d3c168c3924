import * as Description from "../Description.ts"
import { sizeOf } from "../DeviceFields.ts"
import { SectionType } from "../../internal/constants.ts"
import { type Cursor, type Steps, stop } from "../../internal/cursor.ts"
import { DeviceQueue } from "./deviceQueue.ts"
import { readFooter, readOpening } from "../../stream/internal/framing.ts"

/** The range that may contain the description. */
export interface SearchRange {
  readonly from: number
  readonly to: number
}

/**
 * The sizes of device sections, which only the description at the end of the stream has.
 *
 * @internal
 */
export class SectionSizes {
  private located: Description.Located | undefined
  private queue: DeviceQueue

  constructor() {
    this.queue = new DeviceQueue([])
  }

  /**
   * Skips a FULL section. Searches `range` for the description, once. If `footers` is unknown, bytes that look like a
   * footer count as one.
   */
  *skipSection(cursor: Cursor, range: SearchRange, footers: boolean | undefined): Steps<void> {
    const offset = cursor.position
    this.located ??= yield* this.search(range)
    const { instanceId, name, sectionId } = yield* readOpening(cursor)
    const device = this.queue.take(name, instanceId)
    if (device === undefined) {
      const found = `section "${name}", and ${reasons[this.located._tag]}`
      return yield* stop({ code: "early-section-unsized", offset, expected: "a description of each section", found })
    }
    yield* cursor.skip(sizeOf(device), `section "${name}"`)
    if (footers ?? (yield* cursor.peek(1))[0] === SectionType.footer) yield* readFooter(cursor, sectionId)
  }

  private *search(range: SearchRange): Steps<Description.Located> {
    const located = yield* Description.locate(range)
    if (located._tag === "Found") this.queue = new DeviceQueue(located.description.devices)
    return located
  }
}

/** The reason why a section is not described. */
const reasons: Readonly<Record<Description.Located["_tag"], string>> = {
  Found: "a description without it",
  Unreadable: "a description that cannot be read",
  CutShort: "a description that is cut short",
  Missing: "no description"
}

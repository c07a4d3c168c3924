import { type Cursor, type Steps, stop } from "./cursor.ts"
import { readOpening } from "./framing.ts"

/**
 * The sizes of device sections, which nothing but the description at the end of the stream knows.
 *
 * @internal
 */
export class SectionSizes {
  /** Passes over a FULL section. */
  *skipSection(cursor: Cursor): Steps<void> {
    const offset = cursor.position
    const { name } = yield* readOpening(cursor)
    yield* stop({
      code: "early-section-unsized",
      offset,
      expected: "a description of the device state",
      found: `section "${name}"`
    })
  }
}

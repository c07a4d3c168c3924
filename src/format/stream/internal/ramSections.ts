import { RAM_VERSION } from "../../internal/constants.ts"
import { type Cursor, type Steps, stop } from "../../internal/cursor.ts"
import { readOpening } from "./framing.ts"

/** Reads the header of RAM's START, and returns RAM's section id. @internal */
export function* readRamStartHeader(cursor: Cursor): Steps<number> {
  const offset = cursor.position
  const { instanceId, name, sectionId, version } = yield* readOpening(cursor)
  if (name !== "ram") yield* stopAtIterable(name, offset)
  if (version !== RAM_VERSION) {
    const expected = `version ${RAM_VERSION}`
    yield* stop({ code: "ram-version-unsupported", offset, expected, found: `version ${version}` })
  }
  if (instanceId !== 0) {
    yield* stop({ code: "ram-instance-wrong", offset, expected: "instance 0", found: `instance ${instanceId}` })
  }
  return sectionId
}

/** Reads the header of a PART or the END of RAM, whose type is known to be one of the two. @internal */
export function* readRamPartHeader(cursor: Cursor, ramSectionId: number): Steps<void> {
  const offset = cursor.position
  yield* cursor.skip(1, "a section of RAM")
  const sectionId = yield* cursor.u32("the id of a section")
  if (sectionId === ramSectionId) return
  const expected = `section ${ramSectionId}, RAM`
  yield* stop({ code: "section-id-unknown", offset, expected, found: `section ${sectionId}` })
}

/**
 * QEMU's iterable sections other than RAM's. Any other name may be guest memory, if a stream is out of step, and must
 * not get into a message.
 */
const ITERABLE = /^(?:block|dirty-bitmap|spapr\/htab|s390-[a-z]{1,16}|(?:[\da-f:.]{1,16}\/)?vfio)$/

/** @internal */
export const stopAtIterable = (name: string, offset: number) =>
  stop({
    code: "iterable-unsupported",
    offset,
    expected: `section "ram"`,
    found: `${ITERABLE.test(name) ? `section "${name}"` : "another one"}, which comes in parts`
  })

/** @internal */
export function* stopAtSection(cursor: Cursor, type: number | undefined, expected: string): Steps<never> {
  const offset = cursor.position
  if (type === undefined) return yield* stop({ code: "stream-cut", offset, expected, found: "the end" })
  const found = `section type 0x${type.toString(16).padStart(2, "0")}`
  return yield* stop({ code: "section-unexpected", offset, expected, found })
}

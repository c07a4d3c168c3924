import * as Result from "effect/Result"
import type { Parser } from "../../Parser.ts"
import { type Device, sizeOf } from "../DeviceFields.ts"
import { RamFlag, SectionType } from "../../internal/constants.ts"
import { attempt, Cursor, type Steps } from "../../internal/cursor.ts"
import { DeviceQueue } from "./deviceQueue.ts"
import { readCommand, readFooter, readOpening, readRamRecord } from "../../stream/internal/framing.ts"

/**
 * Most sections that are split, and that one search for the description walks: twice as many as the largest machines
 * have. More of them are bytes crafted to waste time.
 *
 * @internal
 */
export const MAX_SECTIONS = 30_000

/**
 * `true` if the sections starting at `from`, sized by a description, lead exactly to `eof`. Commands may be between
 * them, and the empty PART and END sections that RAM has in a mapped-ram file.
 *
 * @internal
 */
export function* leadsTo(
  from: number,
  eof: number,
  devices: ReadonlyArray<Device>,
  budget: { sections: number }
): Parser<boolean> {
  const outcome = yield* attempt(walk(new Cursor(from), eof, new DeviceQueue(devices), budget))
  return Result.getOrElse(outcome, () => false)
}

function* walk(cursor: Cursor, eof: number, queue: DeviceQueue, budget: { sections: number }): Steps<boolean> {
  while (cursor.position < eof) {
    if (budget.sections-- <= 0) return false
    const [type] = yield* cursor.peek(1)
    if (type === SectionType.command) yield* readCommand(cursor)
    else if (!(yield* passSection(cursor, type, eof, queue))) return false
  }
  return cursor.position === eof
}

function* passSection(cursor: Cursor, type: number | undefined, eof: number, queue: DeviceQueue): Steps<boolean> {
  if (type === SectionType.full) return yield* passDevice(cursor, eof, queue)
  if (type === SectionType.part || type === SectionType.end) return yield* passShell(cursor)
  return false
}

function* passShell(cursor: Cursor): Steps<boolean> {
  cursor.position += 1
  const sectionId = yield* cursor.u32("the id of a section")
  const { flags } = yield* readRamRecord(cursor)
  if (flags !== RamFlag.endOfSection) return false
  yield* passFooter(cursor, sectionId)
  return true
}

function* passDevice(cursor: Cursor, eof: number, queue: DeviceQueue): Steps<boolean> {
  const { instanceId, name, sectionId } = yield* readOpening(cursor)
  const device = queue.take(name, instanceId)
  if (device === undefined) return false
  const end = cursor.position + sizeOf(device)
  if (end > eof) return false
  cursor.position = end
  yield* passFooter(cursor, sectionId)
  return true
}

/** Very old machine types have no footers; no section begins with a footer's byte. */
function* passFooter(cursor: Cursor, sectionId: number): Steps<void> {
  const [type] = yield* cursor.peek(1)
  if (type === SectionType.footer) yield* readFooter(cursor, sectionId)
}

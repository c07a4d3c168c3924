import * as Result from "effect/Result"
import type { Parser } from "../../Parser.ts"
import { type Device, sizeOf } from "../DeviceFields.ts"
import { RamFlag, SectionType } from "../../internal/constants.ts"
import { attempt, Cursor, type Steps } from "../../internal/cursor.ts"
import { DeviceQueue } from "./deviceQueue.ts"
import { readCommand, readFooter, readOpening, readRamRecord } from "../../stream/internal/framing.ts"

/**
 * The most sections that are taken apart, and that one search for the description walks over: twice what the largest
 * machines have. More are bytes that were made to keep somebody busy.
 *
 * @internal
 */
export const MAX_SECTIONS = 30_000

/**
 * Whether the sections from `from` on, sized by a description, lead exactly to `eof`. Commands and the empty shells that
 * a mapped-ram file has of RAM's PART and END may stand between them.
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

/** Very old machine types have no footers; no section begins with the byte of a footer. */
function* passFooter(cursor: Cursor, sectionId: number): Steps<void> {
  const [type] = yield* cursor.peek(1)
  if (type === SectionType.footer) yield* readFooter(cursor, sectionId)
}

/** What must hold, whatever went wrong. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as DeviceState from "../../../src/format/devices/DeviceState.ts"
import * as ByteSource from "../../../src/snapshot/ByteSource.ts"
import * as Image from "../../../src/image/Image.ts"
import type * as MigrationStatus from "../../../src/migration/MigrationStatus.ts"
import * as Verify from "../../../src/image/Verify.ts"
import type * as MemoryDisk from "../../../src/testing/MemoryDisk.ts"
import { type Ended, isInterrupted, OLD, type Places, type Result, sections, SOURCE, TARGET } from "./migration.ts"
import type { Scenario, Side } from "./scenario.ts"

/** Everything that a broken disk or connection may be called. */
const files = ["FileIoError", "NoSpaceError", "FilePermissionError", "UnexpectedEndOfFileError"]
const images = ["NotMigrationImageError", "TruncatedImageError", "CorruptImageError", "UnsupportedImageError"]
const connections = ["ConnectError", "ListenError", "ConnectionLostError", "ConnectionEndedError", "PeerTimeoutError"]
/** Accepting a connection fails in no other way than by its handshake; here, where a call is told to. */
const handshakes = ["TlsError"]
const peers = ["ProtocolError", "PeerFailedError", "SenderLeftError", "PayloadError", "CompressorClosedError"]
const expectedTags = new Set([...files, ...images, ...connections, ...handshakes, ...peers])

const same = (one: Uint8Array | undefined, other: Uint8Array | undefined): boolean =>
  one === undefined || other === undefined ? one === other : Buffer.compare(one, other) === 0

export const isCorrupting = ({ trouble }: Scenario): boolean =>
  trouble._tag === "Connection" && trouble.rule.fault._tag === "Corrupt"

/** Troubles that cost time, and nothing else. */
const isHarmless = ({ trouble }: Scenario): boolean => {
  if (trouble._tag === "Call") return trouble.fault._tag === "Delay" && trouble.often === "once"
  if (trouble._tag !== "Connection") return trouble._tag === "None"
  const { fault } = trouble.rule
  return fault._tag === "Short" || (fault._tag === "Delay" && Number(fault.duration) < 800)
}

/** The exit is a success, one typed error, or an interruption where there was one. */
const tagOf = (exit: Ended, who: Side, mayBeInterrupted: boolean): string => {
  if (Exit.isSuccess(exit)) return "success"
  if (isInterrupted(exit)) {
    assert.isTrue(mayBeInterrupted, `the ${who} was interrupted by nobody`)
    return "interrupted"
  }
  const [reason] = exit.cause.reasons
  assert(reason !== undefined && Cause.isFailReason(reason), `${who}: ${Cause.pretty(exit.cause)}`)
  const { error } = reason
  assert(error instanceof Error && "_tag" in error && typeof error._tag === "string", `${who}: ${String(error)}`)
  assert.isTrue(expectedTags.has(error._tag), `${who}: ${error._tag}: ${error.message}`)
  return error._tag
}

/** What an image holds, if it is one. */
const contentsOf = (path: string) =>
  Effect.gen(function* () {
    const image = yield* Image.open(path)
    const blocks = yield* Effect.forEach(image.blocks, ({ idstr, usedLength }) => image.readPages(idstr, 0, usedLength))
    const { error } = yield* Verify.run(path)
    return { blocks, state: yield* ByteSource.read(image.machineState.deviceState), error }
  }).pipe(Effect.scoped)

/** An image that can be opened is a whole one. */
export const checkImage = Effect.fnUntraced(function* (
  path: string,
  { expected, isExact }: { readonly expected: ReadonlyArray<Uint8Array>; readonly isExact: boolean }
) {
  const { blocks, error, state } = yield* contentsOf(path)
  assert.isUndefined(error, `${path}: ${error?.message}`)
  if (!isExact) return
  assert.lengthOf(blocks, expected.length)
  for (const [index, bytes] of blocks.entries()) {
    assert.isTrue(same(bytes, expected[index]), `block ${index} of ${path} is not what it was`)
  }
  assert.isTrue(same(state, DeviceState.encode(sections)), `the device state of ${path}`)
})

type Found = "before" | "no image" | "complete"

/** What stands under the final name. */
const targetOf = Effect.fnUntraced(function* (
  disk: MemoryDisk.MemoryDisk,
  scenario: Scenario,
  expected: ReadonlyArray<Uint8Array>
): Effect.fn.Return<Found> {
  const found = disk.read(TARGET)
  if (same(found, scenario.target === "absent" ? undefined : OLD)) return "before"
  assert.isDefined(found)
  const check = checkImage(TARGET, { expected, isExact: !isCorrupting(scenario) })
  const image = yield* Effect.result(Effect.provide(check, disk.layer))
  if (image._tag === "Success") return "complete"
  assert.strictEqual(scenario.target, "in place", `${TARGET}: ${image.failure.message}`)
  assert.include(images, image.failure._tag)
  return "no image"
})

/** The blocks of the receiver, where it has them. */
const checkBlocks = (scenario: Scenario, { expected, found }: Result): void => {
  if (isCorrupting(scenario)) return
  for (const [index, bytes] of expected().entries()) {
    assert.isTrue(same(found[index], bytes), `block ${index} of the receiver is not what it was`)
  }
}

/** Nothing is open, and nothing lies about. */
const checkLeft = ({ known, receiverDisk, scenario, senderDisk }: Places, { network, open }: Result): void => {
  assert.deepStrictEqual([...open, ...network.listening()], [])
  assert.strictEqual(network.openEnds(), 0)
  const { trouble } = scenario
  const isUnremovable = trouble._tag === "Call" && trouble.of === "file" && trouble.side === "receiver"
  const litter = receiverDisk.files().filter((path) => !known.has(path))
  if (!isUnremovable) assert.deepStrictEqual(litter, [])
  assert.isTrue(senderDisk.files().every((path) => path === SOURCE || path.startsWith("/ram")))
}

/** An interruption comes in time, or too late; a destination that was interrupted has failed, in QEMU's words. */
const checkStatus = (ended: string, status: MigrationStatus.Status, side: Side): void => {
  const interrupted = ["none", side === "sender" ? "cancelled" : "failed", "completed"]
  // What fails before it has begun, such as opening the image to be sent, is not of the migration.
  const possible = { success: ["completed"], interrupted }[ended] ?? ["failed", "none"]
  assert.include(possible, status, `the ${side}: ${ended}`)
}

/** How a migration has ended on both sides. */
export const check = Effect.fnUntraced(function* (places: Places, result: Result) {
  const { receiverDisk, scenario } = places
  const { afterCrash, expected, hasMet, isRunning, received, sent, statuses } = result
  const { trouble } = scenario
  const crashed = trouble._tag === "Crash" ? trouble.side : undefined
  const sentAs = tagOf(sent, "sender", crashed === "sender")
  const receivedAs = tagOf(received, "receiver", crashed === "receiver" || !hasMet)
  checkLeft(places, result)
  if (isHarmless(scenario)) assert.deepStrictEqual([sentAs, receivedAs], ["success", "success"])
  // A receiver that is interrupted behind its answer has everything, and says so.
  const isTold = sentAs === "success" && scenario.returnPath
  if (isTold) assert.strictEqual(statuses.receiver, "completed")
  const isThere = isTold || receivedAs === "success"
  checkStatus(sentAs, statuses.sender, "sender")
  checkStatus(receivedAs, statuses.receiver, "receiver")
  if (scenario.source === "live") {
    assert.strictEqual(isRunning, statuses.sender !== "completed" || scenario.live.leave === "running", "the writers")
  }
  if (scenario.sink === "blocks") {
    if (isThere) checkBlocks(scenario, result)
    return { sentAs, receivedAs, found: "none", crash: "none" }
  }
  const found = yield* targetOf(receiverDisk, scenario, expected())
  if (isThere) assert.strictEqual(found, "complete")
  const crash = afterCrash === undefined ? "none" : yield* targetOf(afterCrash, scenario, expected())
  return { sentAs, receivedAs, found, crash }
})

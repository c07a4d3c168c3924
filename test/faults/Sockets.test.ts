/**
 * Every call of sending and receiving, on files and on sockets, goes wrong in every way, once and for good: whoever is hit
 * says what it was, the other one ends as well, and nothing is left.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import { contentsOf } from "../support/machine.ts"
import { isHard, tagOf } from "../support/faults/outcome.ts"
import { settings } from "../support/settings.ts"
import {
  attempt,
  type Attempt,
  type Call,
  type Kind,
  type Shape,
  type Side,
  TARGET
} from "../support/worlds/twoSides.ts"

const { Fault } = FaultyFiles
/** Together with those of Files.test.ts, 20,000. */
const MIN_FAULTS = 5000

/** Compression changes nothing about the calls on files. */
const kindsOf = ({ compression }: Shape): ReadonlyArray<Kind> =>
  compression === "none" ? ["files", "sockets"] : ["sockets"]

const shapes: ReadonlyArray<Shape> = [
  { channels: 0, compression: "none" },
  { channels: 1, compression: "none" },
  { channels: 2, compression: "none" },
  { channels: 4, compression: "none" },
  { channels: 8, compression: "none" },
  { channels: 1, compression: "zstd" },
  { channels: 2, compression: "zstd" },
  { channels: 8, compression: "zstd" }
]

const codes: Record<Kind, ReadonlyArray<string>> = {
  files: ["EIO", "ENOSPC", "EDQUOT", "EACCES"],
  sockets: ["ECONNRESET", "EPIPE", "EIO", "EACCES"]
}

/** The next few of the codes, so that neighbouring calls have all of them. */
const codesAt = ({ index }: Call, kind: Kind): ReadonlyArray<string> =>
  codes[kind].map((_, turn, all) => all[(index + turn) % all.length]!).slice(0, settings.socketCodes)

/** Counts are short where there are any. */
const isCounted = ({ name }: Call, kind: Kind): boolean => name === "read" || (kind === "files" && name === "write")

const faultsAt = (call: Call, kind: Kind): ReadonlyArray<FaultyFiles.Fault> => [
  ...codesAt(call, kind).map((code) => Fault.Fail({ code })),
  ...(isCounted(call, kind) ? [Fault.Short({ bytes: 3000 }), Fault.Short({ bytes: 0 })] : []),
  Fault.Delay({ turns: 50 })
]

const otherSide = { sender: "receiver", receiver: "sender" } as const

const fileErrors: Record<string, string> = {
  EIO: "FileIoError",
  ENOSPC: "NoSpaceError",
  EDQUOT: "NoSpaceError",
  EACCES: "FilePermissionError"
}

/** What a file is taken for that ends too early, or cannot be written. */
const shortFileErrors = [
  "FileIoError",
  "UnexpectedEndOfFileError",
  "NotMigrationImageError",
  "TruncatedImageError",
  "CorruptImageError"
]

const socketErrors = [
  "ConnectError",
  "ListenError",
  "ConnectionLostError",
  "ConnectionEndedError",
  "TlsError",
  "PeerTimeoutError",
  "PeerFailedError",
  "SenderLeftError",
  "ProtocolError"
]

/** What the side that was hit may say. */
const expectedErrors = (kind: Kind, fault: FaultyFiles.Fault): ReadonlyArray<string> => {
  if (kind === "sockets") return socketErrors
  return fault._tag === "Fail" ? [fileErrors[fault.code]!] : shortFileErrors
}

interface Place {
  readonly side: Side
  readonly kind: Kind
  readonly fault: FaultyFiles.Fault
  readonly name: string
}

/** A migration does not fail for them: what was only read is closed, somebody else's file is to become one's own. */
const isOptional = ({ name }: Call): boolean => name === "close" || name === "fchown"

/** Nothing that anybody had open is open, and nothing that is of no use is left. */
const checkLeft = ({ disk, network, receiver, sender }: Attempt, place: string): void => {
  assert.deepStrictEqual([...disk.openFiles(), ...sender.files.openFiles(), ...receiver.files.openFiles()], [], place)
  assert.deepStrictEqual([network.openEnds(), network.listening()], [0, []], place)
  if (receiver.hit.some(({ name }) => name === "unlink")) return
  const part = disk.files().filter((path) => path.endsWith(".part"))
  assert.deepStrictEqual(part, [], place)
}

/** A machine, and whether its description is there. */
const machineIn = (disk: Attempt["disk"]) =>
  Effect.map(Effect.provide(contentsOf(TARGET), disk.layer), ({ description, ...contents }) => ({
    contents,
    isDescribed: description.length > 0
  }))

/**
 * The image is there if the receiver says so; else it is not, unless only its name could not be made to last. Without its
 * description a machine is whole, so a connection that ends there does no harm, and may be a failure to the sender only.
 */
const checkTarget = Effect.fnUntraced(function* (
  { disk, received, receiver }: Attempt,
  good: Attempt["disk"],
  place: string
) {
  const renamed = receiver.files.log().some((call) => call.name === "rename" && !receiver.hit.includes(call))
  if (!Exit.isSuccess(received) && !renamed) return assert.isUndefined(disk.stat(TARGET), place)
  if (disk.holds(TARGET, good.read(TARGET)!)) return
  const [now, complete] = [yield* machineIn(disk), yield* machineIn(good)]
  assert.deepStrictEqual(now.contents, complete.contents, place)
  assert.isFalse(now.isDescribed, `${place}: not what was sent`)
})

const checkEnds = ({ received, receiver, sender, sent }: Attempt, { fault, kind, name, side }: Place): void => {
  const isWaiting = Exit.hasInterrupts(received)
  const tags = { sender: tagOf(sent, name), receiver: isWaiting ? "nobody came" : tagOf(received, name) }
  if (!isHard(fault)) return assert.deepStrictEqual(tags, { sender: "success", receiver: "success" }, name)
  if (tags.sender === "success") assert.strictEqual(tags.receiver, "success", `${name}: the sender is wrong`)
  const { hit } = side === "sender" ? sender : receiver
  // An image that has its name, but whose directory could not be synced.
  const isUnconfirmed = side === "receiver" && kind === "files" && fault._tag === "Fail" && hit[0]?.name === "fsync"
  if (isUnconfirmed && fault.code !== "EINVAL") return assert.strictEqual(tags.receiver, "UnconfirmedError", name)
  if (tags[side] !== "success" && !(kind === "sockets" && tags[side] === "nobody came")) {
    assert.include(expectedErrors(kind, fault), tags[side], name)
  } else if (kind === "files" && fault._tag === "Fail") {
    assert.isTrue(hit.every(isOptional), `${name}: nobody noticed`)
  }
  assert.include(["success", "nobody came", ...socketErrors], tags[otherSide[side]], `${name}: the other side`)
}

let faults = 0

describe("a migration between two of us", () => {
  it.effect.each(shapes)(
    "at every call, by %o",
    (shape) =>
      Effect.gen(function* () {
        const good = yield* attempt(shape, { side: "sender" }, "no fault")
        assert.deepStrictEqual([tagOf(good.sent, "send"), tagOf(good.received, "receive")], ["success", "success"])
        const failAt = Effect.fnUntraced(function* (side: Side, kind: Kind, call: Call) {
          for (const fault of faultsAt(call, kind)) {
            for (const often of ["once", "for good"] as const) {
              const name = `${JSON.stringify(fault)} ${often} at ${side}'s ${JSON.stringify(call)}`
              const plan =
                often === "once" ? FaultyFiles.at<Call>(call.index, fault) : FaultyFiles.from<Call>(call.index, fault)
              const result = yield* attempt(shape, { side, [kind]: plan }, name)
              if (result[side].hit.length > 0) faults += 1
              checkLeft(result, name)
              checkEnds(result, { side, kind, fault, name })
              yield* checkTarget(result, good.disk, name)
            }
          }
        })
        for (const side of ["sender", "receiver"] as const) {
          for (const kind of kindsOf(shape)) {
            for (const call of good[side][kind].log()) yield* failAt(side, kind, call)
          }
        }
      }),
    0
  )

  it("met enough faults", () => {
    assert.isAtLeast(faults, MIN_FAULTS)
  })
})

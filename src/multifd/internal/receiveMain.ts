import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Finding from "../../format/Finding.ts"
import { isAtMost } from "../../format/stream/MachineType.ts"
import type { Event } from "../../format/stream/SocketStream.ts"
import type { Epochs } from "../Epochs.ts"
import type { Limits } from "../PeerLimits.ts"
import * as OneAhead from "../../transfer/OneAhead.ts"
import type { PageSink } from "../../transfer/PageSink.ts"
import * as SnapshotTarget from "../../snapshot/SnapshotTarget.ts"
import * as ProtocolError from "../ProtocolError.ts"
import type * as Receiver from "./receiverModel.ts"
import { SenderLeftError } from "../SenderLeftError.ts"
import type { Watchdog } from "../Watchdog.ts"
import type { MainError, MainStream } from "./mainStream.ts"
import { makeGather } from "./gather.ts"
import { GrowingBytes } from "./growingBytes.ts"
import { checkHeader, layoutOf } from "./receiveChecks.ts"
import { makeRecordPages } from "./recordPages.ts"
import { StateEnd } from "./stateEnd.ts"

/**
 * Hooks between the steps.
 *
 * @internal
 */
export interface Hooks<in out A> extends Pick<Receiver.Hooks<A>, "enter" | "onReceived"> {
  /** Called when nothing more is expected from the sender. */
  readonly onArrived: () => void
  readonly last: SnapshotTarget.LastStep<A>
}

interface Options<in out A, in out E> {
  readonly stream: MainStream
  readonly target: SnapshotTarget.SnapshotTarget<A, E>
  readonly transfer: SnapshotTarget.Transfer
  readonly hooks: Hooks<A>
  readonly limits: Pick<Limits, "maxDeviceState">
  readonly watchdog: Watchdog
  readonly epochs: Epochs
  readonly isMultifd: boolean
  /** The guest's UUID from the channels. */
  readonly guest: Uint8Array | undefined
  /** `true`: sends a SWITCHOVER_ACK. Default: by the machine type. */
  readonly switchoverAck: boolean | undefined
  /** `true`: a sender that waits for an answer may close without it, once everything has arrived. */
  readonly mayLeave: boolean
  /** Every block has its sink: the channels may begin. */
  readonly begun: (ready: {
    readonly pageSize: number
    readonly sinks: ReadonlyMap<string, PageSink<E>>
  }) => Effect.Effect<void>
}

/** The state of the main channel so far. */
interface Draft {
  configuration: SnapshotTarget.MachineHeader["configuration"]
  pageSize: number
  readonly prelude: GrowingBytes
  readonly early: GrowingBytes
  switchoverStart: boolean
  footers: boolean
  position: number
  marks: SnapshotTarget.RamEnd["marks"]
}

/**
 * Follows the main channel from its first byte to its last, and coordinates everything else.
 *
 * ```text
 *   configuration ─▶ list of blocks ─▶ records, marks ─▶ RAM's end ─▶ device state ─▶ end
 *        │                │                 │               │              │           │
 *        │              begin          sinks, epochs      endRam         write       finish, commit, SHUT
 *        └ PING: PONG, anywhere
 * ```
 *
 * @internal
 */
export const receiveMain = Effect.fnUntraced(function* <A, E>(
  options: Options<A, E>
): Effect.fn.Return<void, E | MainError | SenderLeftError, Scope.Scope> {
  const { begun, epochs, guest, hooks, mayLeave, stream, target, transfer, watchdog } = options
  const { peer } = stream
  const draft: Draft = {
    configuration: undefined,
    pageSize: 0,
    prelude: new GrowingBytes(),
    early: new GrowingBytes(),
    switchoverStart: false,
    footers: true,
    position: 0,
    marks: undefined
  }
  const machine = { ...(yield* readHeader(options, draft)), uuid: guest }
  yield* checkHeader(peer, machine)
  let waits = false
  yield* SnapshotTarget.fill<A, E, E | MainError | SenderLeftError, Scope.Scope>(target, {
    machine,
    transfer,
    ram: Effect.fnUntraced(function* (writer) {
      const sinks = yield* watchdog.working(writer.openSinks)
      yield* begun({ pageSize: draft.pageSize, sinks })
      yield* readRam(options, draft, sinks)
      yield* epochs.close
      const { early, footers, marks, switchoverStart } = draft
      return { early: early.view.slice(), switchoverStart, footers, marks }
    }),
    state: Effect.fnUntraced(function* (writer) {
      waits = yield* readState(options, writer, draft.position)
      if (!stream.hasReturnPath) yield* epochs.allEnded
      return yield* watchdog.working(layoutOf(writer, { ...draft, peer }))
    }),
    enter: (step) => hooks.enter(step, machine),
    onComplete: hooks.onReceived,
    last: hooks.last,
    around: watchdog.working,
    completing: (complete) =>
      Effect.suspend(() => {
        hooks.onArrived()
        return completing(options, watchdog.working(complete), waits)
      })
  }).pipe(
    Effect.catchIf(
      (error) => error instanceof Finding.Finding,
      (finding) => Effect.fail(ProtocolError.fromFinding(peer, "main", finding))
    )
  )
  if (stream.hasReturnPath && !(yield* stream.hangUp("loaded")) && !mayLeave) {
    return yield* new SenderLeftError({ peer, complete: true })
  }
})

/**
 * Time in which a source closes that failed because of an unexpected answer: it still sends everything, and is not told
 * of the success in this time.
 */
const FAILURE_GRACE = "200 millis"

/**
 * Everything has arrived and is being made durable. If a sender that waits for the answer has left before, it has not
 * handed over its guest.
 */
const completing = Effect.fnUntraced(function* <A, E>(
  { mayLeave, stream, switchoverAck }: Pick<Options<never, never>, "mayLeave" | "stream" | "switchoverAck">,
  complete: Effect.Effect<A, E, Scope.Scope>,
  waits: boolean
): Effect.fn.Return<A, E | SenderLeftError, Scope.Scope> {
  if (!stream.hasReturnPath) return yield* complete
  yield* stream.watch
  if (switchoverAck === true && !mayLeave) yield* Effect.sleep(FAILURE_GRACE)
  if (!waits || mayLeave) return yield* complete
  const left = Effect.fail(new SenderLeftError({ peer: stream.peer, complete: false }))
  return yield* Effect.raceFirst(complete, Effect.andThen(stream.hasLeft, left))
})

/** Everything up to and including the list of blocks. */
const readHeader = Effect.fnUntraced(function* (
  { stream, watchdog }: Pick<Options<never, never>, "stream" | "watchdog">,
  draft: Draft
): Effect.fn.Return<SnapshotTarget.MachineHeader, MainError> {
  for (;;) {
    const event = yield* stream.next
    if (event._tag === "Blocks") {
      watchdog.alive()
      const { blocks, sectionId } = event
      const { configuration, pageSize, prelude } = draft
      return {
        configuration,
        prelude: prelude.view.slice(),
        ramSectionId: sectionId,
        blocks: blocks.map((block) => ({ ...block, pageSize }))
      }
    }
    yield* record(stream, draft, event)
  }
})

/** All records, up to the end of RAM. */
const readRam = <E>(
  {
    epochs,
    isMultifd,
    stream,
    switchoverAck,
    watchdog
  }: Pick<Options<never, E>, "epochs" | "isMultifd" | "stream" | "switchoverAck" | "watchdog">,
  draft: Draft,
  sinks: ReadonlyMap<string, PageSink<E>>
): Effect.Effect<void, E | MainError> =>
  OneAhead.during((ahead) =>
    Effect.gen(function* () {
      const store = makeRecordPages({ peer: stream.peer, sinks, ahead, watchdog })
      const mark = Effect.andThen(ahead.drained, epochs.mark)
      for (;;) {
        const event = yield* stream.next
        switch (event._tag) {
          case "Pages":
          case "Zeros":
          case "Changes":
            yield* store(event)
            break
          case "Flush":
            yield* mark
            break
          case "SectionEnd":
            if (event.isMark) yield* mark
            if (event.section !== "start") break
            if (isMultifd) draft.marks = event.isMark ? "each-section" : "each-round"
            if (switchoverAck ?? mayWait(draft)) yield* stream.answer({ _tag: "SwitchoverAck" })
            break
          case "RamEnd":
            Object.assign(draft, { footers: event.footers, position: event.position })
            return yield* ahead.drained
          default:
            yield* record(stream, draft, event)
        }
      }
    })
  )

/**
 * A source with `switchover-ack` keeps its guest running until it gets a SWITCHOVER_ACK. Others ignore it, except QEMU
 * before 8.1, which does not know it, and machines of 11.1 and later, which count the answers they wait for: both fail.
 */
const mayWait = ({ configuration }: Draft): boolean =>
  isAtMost(configuration?.machine, 11, 0) && !isAtMost(configuration?.machine, 8, 0)

/** Handles events other than RAM and its end. */
const record = (stream: MainStream, draft: Draft, event: Event): Effect.Effect<void, MainError> => {
  switch (event._tag) {
    case "Configuration":
      draft.configuration = event.configuration
      draft.pageSize = event.pageSize
      return Effect.void
    case "EarlySection":
      ;(event.inPrelude ? draft.prelude : draft.early).append(event.bytes)
      return Effect.void
    case "Command":
      return handleCommand(stream, draft, event)
    default:
      return Effect.void
  }
}

const handleCommand = (
  stream: MainStream,
  draft: Draft,
  event: Extract<Event, { readonly _tag: "Command" }>
): Effect.Effect<void, MainError> => {
  switch (event.command) {
    case "openReturnPath":
      return stream.openReturnPath
    case "switchoverStart":
      draft.switchoverStart = true
      return Effect.void
    case "ping":
      return stream.answer({ _tag: "Pong", value: event.value })
  }
}

/** Least progress of an honest peer between two signs of life, so that it cannot drip data. */
const PROGRESS_BYTES = 64 * 1024

/** Everything after RAM, which ends at `position`. `true` if the sender has kept its side open. */
const readState = Effect.fnUntraced(function* <E>(
  { limits: { maxDeviceState }, stream, watchdog }: Pick<Options<never, never>, "limits" | "stream" | "watchdog">,
  writer: SnapshotTarget.StateWriter<unknown, E>,
  position: number
): Effect.fn.Return<boolean, E | MainError> {
  const end = new StateEnd()
  const { flush, push } = makeGather((bytes) => watchdog.working(writer.write(bytes)))
  let arrived = 0
  let lastReported = 0
  while (!(stream.hasReturnPath && end.isComplete)) {
    const bytes = yield* stream.nextBytes
    if (bytes.length === 0) break
    arrived += bytes.length
    if (arrived > maxDeviceState) return yield* tooMuch(stream.peer, position, maxDeviceState)
    if (stream.hasReturnPath) end.push(bytes)
    if (arrived - lastReported >= PROGRESS_BYTES) {
      lastReported = arrived
      watchdog.alive()
    }
    yield* push(bytes)
  }
  yield* flush
  return end.isComplete
})

const tooMuch = (peer: string, position: number, limit: number) => {
  const [expected, found] = [`at most ${limit} bytes`, "more"]
  const finding = Finding.make({ code: "device-state-exceeded", offset: position + limit, expected, found })
  return Effect.fail(ProtocolError.fromFinding(peer, "main", finding))
}

/**
 * The epochs of a migration. The main channel passes its k-th mark when every channel is at its k-th SYNC with all
 * earlier data stored, and no channel passes its k-th SYNC earlier.
 *
 * ```text
 *   channel     pages ─── arrive ············ pages ─── arrive ···· end
 *   channel     pages ──────── arrive ······· pages ───── arrive ·· end
 *   main            ── mark ···············│── ZERO … ── mark ····│── close
 *                                          └ all have arrived: all go on
 *
 *   never:  pages in front of the first SYNC    epoch-pages-early     (no block is known then: QEMU crashes)
 *           an end at a mark, or behind pages   epoch-sync-missing    (QEMU hangs, or loads wrong RAM)
 *           pages behind the last mark          epoch-pages-late      (QEMU throws them away, or loads wrong RAM)
 *           two SYNCs behind the last mark      epoch-sync-unexpected (QEMU does not notice)
 * ```
 *
 * One SYNC of each channel after the last mark is allowed if there are no pages around it: QEMU 9.1 and 9.2 leave out
 * the mark after the last round, in which no more pages are sent.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Invariant from "../ram/Invariant.ts"
import * as Finding from "../format/Finding.ts"
import * as ProtocolError from "./ProtocolError.ts"

/**
 * The meeting point of a receiver's channels and its main channel. Positions are byte positions on the channel's
 * connection.
 *
 * @category models
 * @since 0.1.0
 */
export interface Epochs {
  /** Reports that the channel has pages. */
  readonly pages: (id: number, position: number) => Effect.Effect<void, ProtocolError.ProtocolError>
  /** Reports that the channel is at a SYNC and has stored everything before it. Waits for the main channel's mark. */
  readonly arrive: (id: number, position: number) => Effect.Effect<void, ProtocolError.ProtocolError>
  /** Reports that the channel's peer has ended. */
  readonly end: (id: number, position: number) => Effect.Effect<void>
  /** Reports that the main channel is at a mark. Waits for all channels. */
  readonly mark: Effect.Effect<void, ProtocolError.ProtocolError>
  /** RAM is complete: no more marks follow. */
  readonly close: Effect.Effect<void, ProtocolError.ProtocolError>
  /** Waits until all channels have ended. */
  readonly allEnded: Effect.Effect<void>
}

/** `new`: no SYNC yet; `over`: a SYNC came after the last mark. */
type State = "new" | "open" | "waiting" | "over"

interface ChannelState {
  state: State
  /** `true` if it has brought pages since the last mark, with or without a SYNC. */
  hasPages: boolean
  ended: boolean
  position: number
}

/**
 * Makes the first epoch of a migration with `channels` channels, 0 or more. `peer` is for the errors, which name the
 * channel.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (peer: string, channels: number): Epochs => {
  const channelStates = Array.from({ length: channels }, (): ChannelState => ({
    state: "new",
    hasPages: false,
    ended: false,
    position: 0
  }))
  const ended = Latch.makeUnsafe(channels === 0)
  let closed = false
  let gate = Latch.makeUnsafe()
  let attention = Latch.makeUnsafe()

  const stateOf = (id: number): ChannelState => Invariant.defined(channelStates[id], "every channel has a state")
  const stop = (id: number, code: Finding.FindingCode, expected: string, found: string) => {
    const finding = Finding.make({ code, offset: stateOf(id).position, expected, found })
    return Effect.fail(ProtocolError.fromFinding(peer, id, finding))
  }
  const first = (matches: (channel: ChannelState) => boolean): number => channelStates.findIndex(matches)
  const unsynced = (id: number) => stop(id, "epoch-sync-missing", "a SYNC", "the end of the channel")
  const syncTooMany = (id: number) =>
    stop(id, "epoch-sync-unexpected", "at most one SYNC after the main channel's last mark", "another one")
  const pagesTooLate = (id: number) =>
    stop(id, "epoch-pages-late", "no pages after the main channel's last mark", "pages")

  const waitForAll: Effect.Effect<void, ProtocolError.ProtocolError> = Effect.suspend(() => {
    const gone = first((channel) => channel.ended)
    if (gone >= 0) return unsynced(gone)
    if (channelStates.every((channel) => channel.state === "waiting")) return release
    attention = Latch.makeUnsafe()
    return Effect.andThen(attention.await, waitForAll)
  })
  const openGate = Effect.suspend(() => {
    const open = gate.open
    gate = Latch.makeUnsafe()
    return Effect.asVoid(open)
  })
  const release = Effect.suspend(() => {
    for (const channel of channelStates) {
      channel.state = "open"
      channel.hasPages = false
    }
    return openGate
  })

  return {
    pages: (id, position) =>
      Effect.suspend(() => {
        const channel = stateOf(id)
        channel.position = position
        if (closed) return pagesTooLate(id)
        if (channel.state === "new") return stop(id, "epoch-pages-early", "a SYNC as the first packet", "pages")
        channel.hasPages = true
        return Effect.void
      }),
    arrive: (id, position) =>
      Effect.suspend(() => {
        const channel = stateOf(id)
        channel.position = position
        if (closed) {
          const isOver = channel.state === "over"
          channel.state = "over"
          return isOver ? syncTooMany(id) : Effect.void
        }
        channel.state = "waiting"
        const passed = gate.await
        return Effect.andThen(attention.open, passed)
      }),
    end: (id, position) =>
      Effect.suspend(() => {
        const channel = stateOf(id)
        channel.position = position
        channel.ended = true
        return Effect.andThen(
          attention.open,
          channelStates.every((channel) => channel.ended) ? ended.open : Effect.void
        )
      }),
    mark: waitForAll,
    close: Effect.suspend(() => {
      closed = true
      const left = first((channel) => channel.hasPages)
      if (left >= 0) return stateOf(left).ended ? unsynced(left) : pagesTooLate(left)
      for (const channel of channelStates) if (channel.state === "waiting") channel.state = "over"
      return openGate
    }),
    allEnded: ended.await
  }
}

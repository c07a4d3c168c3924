/**
 * The epochs of a migration: the main channel passes its k-th mark when every channel stands at its k-th SYNC with
 * everything in front of it stored, and no channel goes past its k-th SYNC before.
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
 * One SYNC of each channel behind the last mark is no error, as long as no pages stand around it: QEMU 9.1 and 9.2 leave out
 * the mark behind the last round, in which no page is sent any more.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Finding from "../format/Finding.ts"
import * as ProtocolError from "./ProtocolError.ts"

/**
 * Where the channels and the main channel of a receiver meet. Positions are those of bytes on the channel's connection.
 *
 * @category models
 * @since 0.1.0
 */
export interface Epochs {
  /** The channel has pages. */
  readonly pages: (id: number, position: number) => Effect.Effect<void, ProtocolError.ProtocolError>
  /** The channel stands at a SYNC, and has stored everything in front of it. Waits for the main channel's mark. */
  readonly arrive: (id: number, position: number) => Effect.Effect<void, ProtocolError.ProtocolError>
  /** The channel's peer has ended. */
  readonly end: (id: number, position: number) => Effect.Effect<void>
  /** The main channel stands at a mark. Waits for all channels. */
  readonly mark: Effect.Effect<void, ProtocolError.ProtocolError>
  /** RAM is complete: there are no more marks. */
  readonly close: Effect.Effect<void, ProtocolError.ProtocolError>
  /** Waits until all channels have ended. */
  readonly allEnded: Effect.Effect<void>
}

/** `new`: there was no SYNC yet; `over`: there was one behind the last mark. */
type State = "new" | "open" | "waiting" | "over"

interface ChannelState {
  state: State
  /** Whether it has brought pages since the last mark, SYNC or not. */
  hasPages: boolean
  ended: boolean
  position: number
}

/**
 * The first epoch of a migration with so many channels, 0 or more. `peer` is for the errors, which name the channel.
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

  const stop = (id: number, code: Finding.FindingCode, expected: string, found: string) => {
    const finding = Finding.make({ code, offset: channelStates[id]!.position, expected, found })
    return Effect.fail(ProtocolError.fromFinding(peer, id, finding))
  }
  const first = (matches: (channel: ChannelState) => boolean): number => channelStates.findIndex(matches)
  const unsynced = (id: number) => stop(id, "epoch-sync-missing", "a SYNC", "the end of the channel")
  const syncTooMany = (id: number) =>
    stop(id, "epoch-sync-unexpected", "at most one SYNC behind the main channel's last mark", "another one")
  const pagesTooLate = (id: number) =>
    stop(id, "epoch-pages-late", "no pages behind the main channel's last mark", "pages")

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
        const channel = channelStates[id]!
        channel.position = position
        if (closed) return pagesTooLate(id)
        if (channel.state === "new") return stop(id, "epoch-pages-early", "a SYNC as the first packet", "pages")
        channel.hasPages = true
        return Effect.void
      }),
    arrive: (id, position) =>
      Effect.suspend(() => {
        const channel = channelStates[id]!
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
        const channel = channelStates[id]!
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
      if (left >= 0) return channelStates[left]!.ended ? unsynced(left) : pagesTooLate(left)
      for (const channel of channelStates) if (channel.state === "waiting") channel.state = "over"
      return openGate
    }),
    allEnded: ended.await
  }
}

import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Invariant from "../../ram/Invariant.ts"
import * as Finding from "../../format/Finding.ts"
import * as MigrationStream from "../../format/stream/MigrationStream.ts"
import * as MultifdInit from "../../format/multifd/MultifdInit.ts"
import type { Connection, TransferError } from "../../io/sockets/Connection.ts"
import * as ConnectionError from "../../io/sockets/ConnectionError.ts"
import type { Listener } from "../../io/sockets/Listener.ts"
import * as ProtocolError from "../ProtocolError.ts"

/** Bytes that distinguish the main channel from the others. */
const MAGIC_LENGTH = 4

/** @internal */
export type AssembleError =
  | ConnectionError.ListenError
  | ConnectionError.TlsError
  | ConnectionError.ConnectionLostError
  | ConnectionError.ConnectionEndedError
  | ConnectionError.PeerTimeoutError
  | ProtocolError.ProtocolError

/**
 * All connections of one migration.
 *
 * @internal
 */
export interface Accepted {
  /** The main connection, after its first four bytes, the magic number. */
  readonly main: Connection
  /** The channels by id, after their init packets. */
  readonly channels: ReadonlyArray<Connection>
  /** The guest's UUID, the same on all channels; `undefined` if there are none. */
  readonly uuid: Uint8Array | undefined
  /**
   * Connections that had arrived before the last expected one, and may still turn out to be surplus channels. Fails if
   * they do; otherwise ends only by interruption.
   */
  readonly strays: Effect.Effect<never, AssembleError>
}

/** @internal */
export interface Options {
  readonly listener: Listener
  readonly channels: number
  /** The guest's UUID. Default: any, but the same on all channels. */
  readonly uuid?: Uint8Array | undefined
  readonly handshakeTimeout: Duration.Duration
}

/**
 * Accepts the main connection and all channels, in any order, and identifies them by their first bytes, concurrently.
 *
 * ```text
 *   accept ──▶ 4 bytes ─┬─ "QEVM" ────────────▶ main
 *     ▲                 ├─ 11223344 ─▶ init ──▶ channel id        all there: stop listening
 *     │                 ├─ anything else ─────▶ connection-unidentified
 *     │                 ├─ none in time ──────▶ PeerTimeoutError
 *     └── forgotten ◀───┴─ closed without a byte: somebody looked whether the port is open
 * ```
 *
 * A real sender makes all its connections before it sends anything on the main one. So after the first one that has
 * identified itself, `handshakeTimeout` is enough for all others.
 *
 * @internal
 */
export const acceptConnections = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Accepted, AssembleError, Scope.Scope> {
  const assembly: Assembly = {
    ...options,
    scope: yield* Effect.scope,
    channelConnections: new Map(),
    main: undefined,
    guest: options.uuid,
    someone: Latch.makeUnsafe(),
    everyone: Latch.makeUnsafe(),
    failed: Deferred.makeUnsafe()
  }
  const failure = Deferred.await(assembly.failed)
  yield* Effect.forkIn(acceptAll(assembly), assembly.scope)
  yield* Effect.raceAllFirst([assembly.everyone.await, late(assembly), failure])
  yield* options.listener.close
  const { channels, guest, channelConnections, main } = assembly
  const uuid = channels === 0 ? undefined : guest
  return {
    main: Invariant.defined(main, "everyone has connected"),
    channels: Array.from({ length: channels }, (_, id) =>
      Invariant.defined(channelConnections.get(id), "everyone has connected")
    ),
    uuid,
    strays: failure
  }
})

/** The state while connections arrive. */
interface Assembly extends Options {
  readonly scope: Scope.Scope
  readonly channelConnections: Map<number, Connection>
  main: Connection | undefined
  /** The guest's UUID, from the first channel on. */
  guest: Uint8Array | undefined
  readonly someone: Latch.Latch
  readonly everyone: Latch.Latch
  readonly failed: Deferred.Deferred<never, AssembleError>
}

const isComplete = ({ channels, channelConnections, main }: Assembly): boolean =>
  main !== undefined && channelConnections.size === channels

const fail = (assembly: Assembly, error: AssembleError): Effect.Effect<void> =>
  Effect.asVoid(Deferred.fail(assembly.failed, error))

/** A separate fiber examines each connection. */
const acceptAll = (assembly: Assembly): Effect.Effect<void> =>
  acceptOne(assembly).pipe(
    Effect.forever,
    Effect.catch((error) => (isComplete(assembly) ? Effect.void : fail(assembly, error)))
  )

const acceptOne = Effect.fnUntraced(function* (assembly: Assembly) {
  const own = yield* Scope.fork(assembly.scope)
  const connection = yield* Scope.provide(assembly.listener.accept, own)
  yield* Effect.forkIn(receive(assembly, connection, own), assembly.scope)
})

const receive = (assembly: Assembly, connection: Connection, own: Scope.Closeable): Effect.Effect<void> =>
  identify(assembly, connection).pipe(
    Effect.timeoutOrElse({
      duration: assembly.handshakeTimeout,
      orElse: () => silent(assembly, connection)
    }),
    Effect.flatMap((isOfUse) => (isOfUse ? Effect.void : Effect.uninterruptible(Scope.close(own, Exit.void)))),
    Effect.catch((error) => fail(assembly, error))
  )

/** After all channels have connected, a silent connection is ignored. */
const silent = (assembly: Assembly, { peer }: Connection): Effect.Effect<boolean, ConnectionError.PeerTimeoutError> => {
  if (isComplete(assembly)) return Effect.succeed(false)
  const milliseconds = Duration.toMillis(assembly.handshakeTimeout)
  return Effect.fail(new ConnectionError.PeerTimeoutError({ peer, expected: "the first bytes", milliseconds }))
}

/** `true` if the connection belongs to the migration. */
const identify = Effect.fnUntraced(function* (
  assembly: Assembly,
  connection: Connection
): Effect.fn.Return<boolean, AssembleError> {
  const head = new Uint8Array(MultifdInit.LENGTH)
  const magic = head.subarray(0, MAGIC_LENGTH)
  if (!(yield* begins(connection, magic))) return false
  const finding = yield* classify(assembly, connection, head)
  if (finding !== undefined) return yield* ProtocolError.fromFinding(connection.peer, undefined, finding)
  assembly.someone.openUnsafe()
  if (isComplete(assembly)) assembly.everyone.openUnsafe()
  return true
})

/** A port scan is not an attempt to migrate, however it ends. */
const begins = (connection: Connection, magic: Uint8Array) =>
  Effect.catchTag(connection.readOrEnd(magic), "ConnectionLostError", () => Effect.succeed(false))

const classify = Effect.fnUntraced(function* (
  assembly: Assembly,
  connection: Connection,
  head: Uint8Array
): Effect.fn.Return<Finding.Finding | undefined, TransferError | ConnectionError.ConnectionEndedError> {
  const magic = new DataView(head.buffer).getUint32(0)
  if (magic === MigrationStream.MAGIC) return takeMain(assembly, connection)
  if (magic !== MultifdInit.MAGIC) return unidentified(magic)
  yield* connection.read([head.subarray(MAGIC_LENGTH)])
  return takeChannel(assembly, connection, head)
})

const takeMain = (assembly: Assembly, connection: Connection): Finding.Finding | undefined => {
  if (assembly.main !== undefined) return unexpected("one main channel", "another one")
  assembly.main = connection
  return undefined
}

const takeChannel = (assembly: Assembly, connection: Connection, head: Uint8Array): Finding.Finding | undefined => {
  const { channels, guest, channelConnections } = assembly
  if (channels === 0) return unexpected("no channels: a sender without multifd", "a multifd channel")
  const init = MultifdInit.decode(head)
  if (Result.isFailure(init)) return init.failure
  const { id, uuid } = init.success
  const finding = MultifdInit.check(init.success, {
    channels,
    uuid: guest,
    isTaken: (taken) => channelConnections.has(taken)
  })
  if (finding !== undefined) return finding
  assembly.guest = uuid
  channelConnections.set(id, connection)
  return undefined
}

const unexpected = (expected: string, found: string): Finding.Finding =>
  Finding.make({ code: "connection-unexpected", offset: 0, expected, found })

const unidentified = (magic: number): Finding.Finding =>
  Finding.make({
    code: "connection-unidentified",
    offset: 0,
    expected: "5145564d or 11223344",
    found: magic.toString(16).padStart(8, "0")
  })

/** Fails if the rest does not follow the first one in time. */
const late = (assembly: Assembly): Effect.Effect<never, ConnectionError.PeerTimeoutError> =>
  assembly.someone.await.pipe(
    Effect.andThen(Effect.sleep(assembly.handshakeTimeout)),
    Effect.flatMap(() => {
      const first = assembly.main ?? assembly.channelConnections.values().next().value
      const { peer } = Invariant.defined(first, "a connection has arrived")
      const milliseconds = Duration.toMillis(assembly.handshakeTimeout)
      return Effect.fail(new ConnectionError.PeerTimeoutError({ peer, expected: missing(assembly), milliseconds }))
    })
  )

const missing = ({ channels, channelConnections, main }: Assembly): string => {
  const absent = channels - channelConnections.size
  const rest = absent === 0 ? "" : `${absent} more of ${channels} multifd channels`
  if (main !== undefined) return rest
  return absent === 0 ? "the main channel" : `the main channel and ${rest}`
}

/** `send` and `receive` with the versions of QEMU that are not at hand: scripted sources and destinations. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { Buffer } from "node:buffer"
import * as ReturnPath from "../../src/format/stream/ReturnPath.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Image from "../../src/image/Image.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as Destination from "../support/wire/destination.ts"
import * as Memory from "../support/memory.ts"
import * as Sender from "../support/wire/sender.ts"
import { whileTimePasses } from "../support/time.ts"
import * as Versions from "../support/wire/versions.ts"

const { receive, save, send } = Migration.make
const at = SocketAddress.tcp("10.0.0.1", 4444)

const pong = ReturnPath.encode({ _tag: "Pong", value: 1 })
const acknowledged = ReturnPath.encode({ _tag: "SwitchoverAck" })
const loaded = ReturnPath.encode({ _tag: "Shut", value: 0 })

const world = <A, E>(test: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.gen(function* () {
    const network = yield* VirtualNetwork.make()
    return yield* Effect.provide(whileTimePasses(test), [network.layer, MemoryDisk.make().layer])
  })

/** Receives what a script sends, and gives what the source was told. */
const received = Effect.fnUntraced(function* (version: Versions.Version, mode: Versions.Mode) {
  const heard: Array<Uint8Array> = []
  const script = Versions.source(version, mode, (bytes) => heard.push(bytes.slice()))
  const listening = yield* Deferred.make<void>()
  yield* Effect.forkScoped(Effect.andThen(Deferred.await(listening), Sender.play(script, at)))
  yield* receive({
    listen: at,
    target: "/image",
    channels: mode.channels,
    onListening: () => Effect.asVoid(Deferred.succeed(listening, undefined))
  })
  return Buffer.concat(heard)
}, Effect.scoped)

const isKnownTo = ({ name }: Versions.Version): boolean => name !== "8.0"

describe("a source of QEMU", () => {
  for (const version of Versions.versions) {
    for (const mode of Versions.modes) {
      const { channels, returnPath } = mode
      it.effect(
        `${version.name}, ${channels} channels, ${returnPath ? "with" : "without"} a return path: every page`,
        () =>
          world(
            Effect.gen(function* () {
              const heard = yield* received(version, mode)
              const image = yield* Image.open("/image")
              const bytes = yield* image.readPages(Sender.BLOCK.idstr, 0, Sender.BLOCK.usedLength)
              const firsts = Array.from({ length: Sender.PAGES }, (_, page) => bytes[page * Sender.PAGE])
              assert.deepStrictEqual(
                firsts,
                Array.from({ length: Sender.PAGES }, (_, page) => Versions.contents[page] ?? 0)
              )
              assert.strictEqual(image.machine, version.machine)
              assert.strictEqual(image.machineState.switchoverStart, version.switchoverStart)
              assert.deepStrictEqual(image.notes, channels === 0 ? {} : { marks: version.marks })
              const answers = version.acknowledgement === "fails" ? [pong, loaded] : [pong, acknowledged, loaded]
              assert.isTrue(heard.equals(Buffer.concat(returnPath ? answers : [])))
            }).pipe(Effect.scoped)
          )
      )
    }
  }
})

const ways = [
  { channels: 0, compression: "none" },
  { channels: 1, compression: "none" },
  { channels: 3, compression: "none" },
  { channels: 2, compression: "zlib" },
  { channels: 2, compression: "zstd" }
] as const

describe("a destination of QEMU", () => {
  for (const version of Versions.versions) {
    for (const { channels, compression } of ways) {
      it.effect(`${version.name}, ${channels} channels, ${compression}: what it knows, and where it waits`, () =>
        world(
          Effect.gen(function* () {
            const { block, bytes } = yield* Memory.small()
            const { machine, switchoverStart } = version
            const machineState = { ...MachineState.empty({ machine }), switchoverStart }
            yield* save({ target: "/image", blocks: [block], machineState })
            // With `switchover-ack` on, it says so in front of its answer.
            const answer = isKnownTo(version) ? new Uint8Array(Buffer.concat([acknowledged, loaded])) : loaded
            const destination = yield* Destination.listen({ address: at, channels, answer })
            yield* send({ source: yield* Image.open("/image"), to: at, channels, compression })
            const sent = yield* Destination.acceptConnections(destination, {
              method: compression,
              pageSize: Sender.PAGE
            })
            assert.isTrue(sent.ram.get(block.idstr)!.equals(bytes))
            assert.strictEqual(sent.flushes, channels > 0 && version.marks === "each-round" ? sent.marks : 0)
            assert.deepStrictEqual(sent.commands, ["openReturnPath", ...(switchoverStart ? ["switchoverStart"] : [])])
            // The field lies in what is reserved before 9.0: whoever does not know it takes zero pages for none.
            const zeros = Destination.zeroCounts(destination, Sender.PAGE, compression)
            assert.strictEqual(
              zeros.some((count) => count > 0),
              channels > 0 && version.zerosOnChannels
            )
          }).pipe(Effect.scoped)
        )
      )
    }
  }
})

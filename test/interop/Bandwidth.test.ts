import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Network from "../../src/io/sockets/Network.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Capture from "../../src/qemu/Capture.ts"
import * as QmpClient from "../../src/qemu/QmpClient.ts"
import * as QmpCommands from "../../src/qemu/QmpCommands.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Library from "../support/qemu/library.ts"
import * as Meter from "../support/qemu/meter.ts"
import * as Pattern from "../support/qemu/pattern.ts"
import * as Sockets from "../support/qemu/sockets.ts"
import { describeQemu } from "../support/qemu/suite.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const MIB = 1024 * 1024
const SIZE = 24 * MIB
const LIMIT = 8 * MIB
const TIMEOUT = 120_000

const start = Effect.fnUntraced(function* (space: Workspace.Workspace) {
  const [file, socket] = [space.ram("memory"), space.file("qmp")]
  Pattern.writeFile(file, "random", SIZE)
  yield* Guest.start({ ram: { file, size: SIZE }, args: ["-qmp", `unix:${socket},server=on,wait=off`] })
  return yield* QmpClient.make({ address: SocketAddress.unix(socket) })
})

/** Over some seconds: never more than a tenth above the limit, nor below it while it was the limit that was waited for. */
const checkRate = (from: Meter.Reading, to: Meter.Reading) => {
  const [bytes, millis, held] = [to.bytes - from.bytes, to.time - from.time, to.held - from.held]
  const seen = `${bytes} bytes in ${millis} ms, of which ${held} waiting for the limit`
  assert.isAbove(bytes, 2 * LIMIT, seen)
  assert.isAtMost((bytes * 1000) / millis, 1.1 * LIMIT, seen)
  assert.isAtLeast((bytes * 1000) / held, 0.9 * LIMIT, seen)
  assert.isAbove(held, 1000, seen)
}

describeQemu("max-bandwidth is kept within 10 %", () => {
  it.live(
    "by the capture of a guest that stands still, and by sending its image to QEMU",
    () =>
      Effect.gen(function* () {
        const space = yield* Workspace.make
        const qmp = yield* start(space)
        const capture = yield* Meter.make(LIMIT)
        yield* Capture.run({ qmp, target: space.ram("image"), channels: 0, maxBandwidth: capture.limit }).pipe(
          Effect.provideService(Network.Network, capture.network)
        )
        checkRate(capture.first(), capture.read())

        const incoming = { ram: { file: space.ram("fresh"), size: SIZE }, incoming: true }
        const { loaded, uri } = yield* Sockets.listen(yield* Guest.start(incoming), "tcp:127.0.0.1:0", { channels: 2 })
        const send = yield* Meter.make(LIMIT)
        yield* Library.send(space.ram("image"), uri, { channels: 2, maxBandwidth: send.limit }).pipe(
          Effect.provideService(Network.Network, send.network)
        )
        checkRate(send.first(), send.read())
        yield* loaded
      }).pipe(Effect.provide(Migration.layer)),
    TIMEOUT
  )

  it.live(
    "by the capture of a guest that runs, up to the moment at which it is stopped",
    () =>
      Effect.gen(function* () {
        const space = yield* Workspace.make
        const qmp = yield* start(space)
        yield* QmpCommands.cont(qmp)
        const meter = yield* Meter.make(LIMIT)
        let atStop: Meter.Reading | undefined
        const stopped = Effect.map(Stream.runHead(Stream.filter(qmp.events, ({ name }) => name === "STOP")), () => {
          atStop = meter.read()
        })
        yield* Effect.forkScoped(stopped, { startImmediately: true })
        yield* Capture.run({
          qmp,
          target: space.ram("image"),
          channels: 4,
          live: true,
          maxBandwidth: meter.limit
        }).pipe(Effect.provideService(Network.Network, meter.network))
        checkRate(meter.first(), atStop!)
      }).pipe(Effect.provide(Migration.layer)),
    TIMEOUT
  )
})

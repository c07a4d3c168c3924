/**
 * A postcopy source of our own against real destinations: the guest checks every word of its memory.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Postcopy from "../../src/postcopy/Postcopy.ts"
import * as Capture from "../../src/qemu/Capture.ts"
import * as QmpClient from "../../src/qemu/QmpClient.ts"
import * as QmpCommands from "../../src/qemu/QmpCommands.ts"
import * as Guest from "../support/qemu/guest.ts"
import type * as Qemu from "../support/qemu/qemu.ts"
import * as SelfCheck from "../support/qemu/selfCheck.ts"
import { describeQemus } from "../support/qemu/suite.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const MIB = 1024 * 1024

interface Options {
  readonly qemu: Qemu.Qemu
  readonly size: number
  readonly machine?: string
  readonly args?: ReadonlyArray<string>
}

/** Half of the memory is full of words that are all different, the other half is zero. */
const endOf = (size: number) => size / 2

const start = Effect.fnUntraced(function* (
  space: Workspace.Workspace,
  name: string,
  { args = [], machine, qemu, size }: Options,
  incoming: boolean
) {
  const [ram, socket, disk] = [space.ram(name), space.file(`${name}-qmp`), space.file(`${name}-disk`)]
  // The firmware keeps tables of its own behind that.
  SelfCheck.writeDisk(disk, { end: endOf(size), size: (size * 5) / 8 })
  Fs.writeFileSync(ram, "")
  Fs.truncateSync(ram, size)
  if (!incoming) SelfCheck.fillMemory(ram, endOf(size))
  const guest = yield* Guest.start({
    qemu,
    machine,
    ram: { file: ram, size },
    boot: disk,
    incoming,
    args: ["-cpu", "qemu64,kvmclock=off", "-qmp", `unix:${socket},server=on,wait=off`, ...args]
  })
  return { guest, ram, qmp: yield* QmpClient.make({ address: SocketAddress.unix(socket) }) }
})

/** An image of a guest in the middle of its check. */
const captured = Effect.fnUntraced(function* (space: Workspace.Workspace, options: Options) {
  const { qmp, ram } = yield* start(space, "vm", options, false)
  // In its first round it finds what the firmware has written; from then on everything must be right.
  yield* SelfCheck.reach(ram, 1)
  const { errors } = SelfCheck.read(ram)
  yield* SelfCheck.reach(ram, 2)
  yield* Capture.run({ qmp, target: space.file("image"), leave: "paused" })
  assert.strictEqual(SelfCheck.read(ram).errors, errors)
  return { image: yield* Image.open(space.file("image")), errors }
})

const check = (options: Options, how: { readonly preempt: boolean }) =>
  Effect.gen(function* () {
    const space = yield* Workspace.make
    const { errors, image } = yield* captured(space, options)
    const { qmp, ram } = yield* start(space, "fresh", options, true)
    yield* QmpCommands.migrateSetCapabilities(qmp, { "postcopy-ram": true, "postcopy-preempt": how.preempt })
    const to = SocketAddress.unix(space.file("socket"))
    yield* QmpCommands.migrateIncoming(qmp, SocketAddress.format(to))
    const begin = performance.now()
    let running = 0
    const answers: Array<number> = []
    const sent = yield* Postcopy.send({
      source: image,
      to,
      ...how,
      onRunning: Effect.sync(() => void (running = performance.now() - begin)),
      onAnswered: (millis) => void answers.push(millis)
    })
    const all = performance.now() - begin
    const { rounds } = SelfCheck.read(ram)
    yield* SelfCheck.reach(ram, rounds + 2)
    assert.strictEqual(SelfCheck.read(ram).errors, errors)
    assert.isTrue((yield* QmpCommands.queryStatus(qmp)).running)
    const sorted = answers.toSorted((a, b) => a - b)
    console.log(
      `running after ${running.toFixed(1)} ms, all after ${all.toFixed(0)} ms, ${sent.requests} requests,`,
      `answered in ${sorted[Math.floor(sorted.length / 2)]?.toFixed(3)} ms (p50), ${sorted[Math.floor(sorted.length * 0.99)]?.toFixed(3)} ms (p99)`
    )
  }).pipe(Effect.timeout("30 seconds"), Effect.provide(Migration.layer))

describeQemus("postcopy", ["10.0", "11.1"], (qemu) => {
  for (const preempt of [false, true]) {
    for (const machine of ["pc", "q35"]) {
      it.live(`${machine}${preempt ? ", preempt" : ""}: a guest runs at once, and every word is right`, () =>
        check(
          { qemu, machine, size: 64 * MIB, args: machine === "q35" ? ["-smp", "2", "-device", "VGA"] : [] },
          { preempt }
        )
      )
    }
  }
})

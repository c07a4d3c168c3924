/** Sources that count the acknowledgements which they wait for, that pass over them, or that do not know them. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Fs from "node:fs"
import * as Cli from "../support/qemu/cli.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Migrate from "../support/qemu/migrate.ts"
import type { Qemu } from "../support/qemu/qemu.ts"
import * as Workspace from "../support/qemu/workspace.ts"
import { describeQemus } from "../support/qemu/suite.ts"

const MIB = 1024 * 1024

interface Way {
  readonly machine: string
  readonly channels: number
  readonly capabilities: ReadonlyArray<string>
}

/** Has a guest send itself to the command, and gives how both ended. */
const migrate = Effect.fnUntraced(function* (
  qemu: Qemu,
  { capabilities, channels, machine }: Way,
  ...args: ReadonlyArray<string>
) {
  const space = yield* Workspace.make
  const [image, socket] = [space.file("image"), `unix:${space.file("migration")}`]
  const guest = yield* Guest.start({ qemu, machine, ram: { size: 16 * MIB } })
  const { ran } = yield* Cli.listen("--listen", socket, "--channels", String(channels), ...args, image)
  const all = [...capabilities, ...(channels > 0 ? ["multifd"] : [])]
  yield* guest.qmp.execute("migrate-set-capabilities", {
    capabilities: all.map((capability) => ({ capability, state: true }))
  })
  if (channels > 0) yield* guest.qmp.execute("migrate-set-parameters", { "multifd-channels": channels })
  yield* guest.qmp.execute("migrate", { uri: socket })
  const received = yield* ran
  const { status } = yield* Migrate.query(guest).pipe(
    Effect.repeat({
      until: ({ status }) => ["completed", "failed"].includes(status),
      schedule: Schedule.spaced("50 millis")
    })
  )
  return { received, status, exists: Fs.existsSync(image) }
}, Effect.scoped)

/** Fails unless both sides say that all is well. */
const migrateWell = (qemu: Qemu, way: Way, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { received, status } = yield* migrate(qemu, way, ...args)
    assert.deepStrictEqual([received.code, status], [0, "completed"], `${JSON.stringify(way)}: ${received.stderr}`)
  })

const capabilities = [[], ["return-path"], ["return-path", "switchover-ack"]]
/** What differs between the machine types of one version is not a matter of multifd. */
const waysOf = (machine: string): ReadonlyArray<Way> =>
  (machine.includes("q35") ? [2] : [0, 2]).flatMap((channels) =>
    capabilities.map((capabilities) => ({ machine, channels, capabilities }))
  )

/** A source that fails although it has sent everything is no success, whenever it is noticed. */
const failsBoth = (qemu: Qemu, machine: string) =>
  Effect.gen(function* () {
    for (const channels of [0, 2]) {
      const way = { machine, channels, capabilities: ["return-path"] }
      const { received, status } = yield* migrate(qemu, way, "--switchover-ack", "yes")
      assert.strictEqual(status, "failed")
      assert.include([6, 8], received.code, received.stderr)
    }
  })

describeQemus("a source and its acknowledgements", ["11.1"], (qemu) => {
  for (const machine of ["pc", "q35", "microvm", "pc-i440fx-10.0", "pc-q35-11.0"]) {
    it.live(
      `${machine} completes, with the capability and without, by multifd and not`,
      () => Effect.forEach(waysOf(machine), (way) => migrateWell(qemu, way), { discard: true }),
      180_000
    )
  }

  for (const machine of ["pc", "microvm"]) {
    it.live(
      `${machine} that is sent one all the same fails, and so does receive`,
      () => failsBoth(qemu, machine),
      90_000
    )
  }
})

describeQemus("a source that does not know acknowledgements", ["7.2"], (qemu) => {
  it.live(
    "completes without one",
    () =>
      Effect.forEach([0, 2], (channels) =>
        migrateWell(qemu, { machine: "pc", channels, capabilities: ["return-path"] })
      ),
    90_000
  )
  it.live("that is sent one fails, and so does receive", () => failsBoth(qemu, "pc"), 90_000)
})

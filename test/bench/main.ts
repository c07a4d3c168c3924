/**
 * `npm run bench`: see `settings.ts` for what can be set, `docs/internals/benchmarks.md` for what came out.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Qemu from "../support/qemu/qemu.ts"
import * as Cell from "./cell.ts"
import * as Delay from "./delay.ts"
import * as Machine from "./machine.ts"
import * as Open from "./open.ts"
import * as Report from "./report.ts"
import * as Resident from "./resident.ts"
import * as Restores from "./restores.ts"
import * as Saves from "./saves.ts"
import * as Seal from "./seal.ts"
import * as Sockets from "./sockets.ts"
import * as Start from "./start.ts"
import { type Part, settings } from "./settings.ts"
import { ofCell } from "./table.ts"
import * as Targets from "./targets.ts"
import { BenchError } from "./worker.ts"

const main = Effect.gen(function* () {
  const chosen = yield* settings
  if (Qemu.installed === undefined) return yield* new BenchError({ reason: Qemu.missing })
  const machine = yield* Machine.make(chosen)
  const print = (cell: Cell.Cell) => Console.log(`\n${Cell.title(cell.work)}\n${ofCell(cell)}\n`)
  const when = <A, E>(part: Part, effect: Effect.Effect<ReadonlyArray<A>, E>) =>
    chosen.parts.includes(part) ? effect : Effect.succeed([])

  const cells = [
    ...(yield* when("save", Saves.run(machine, print))),
    ...(yield* when("restore", Restores.run(machine, print))),
    ...(yield* when("sockets", Sockets.run(machine, print)))
  ]
  const verdicts = [
    ...Targets.judge(cells),
    ...(yield* when("resident", Resident.run(machine))),
    ...(yield* when("open", Open.run(machine))),
    ...(yield* when("start", Start.run(machine))),
    ...(yield* when("delay", Delay.run(machine))),
    ...(yield* when("seal", Seal.run(machine)))
  ]
  yield* Console.log(Report.verdictTable(verdicts))
  if (chosen.report !== "") yield* Effect.promise(() => Report.write(chosen.report, { cells, verdicts }, chosen))
}).pipe(Effect.scoped, Effect.provideService(Logger.LogToStderr, true))

NodeRuntime.runMain(main)

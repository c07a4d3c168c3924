/**
 * Node's own sockets and files, as the limit of what the project could reach.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { RamFile } from "./place.ts"
import type { Variant } from "./variant.ts"
import * as Worker from "./worker.ts"

const PROGRAM = Path.join(import.meta.dirname, "bareWorker.ts")

/** RAM goes from one process to another, over as many connections, into a new file. */
export const copy = (ram: RamFile, target: string, connections: number): Variant => ({
  name: "bare Node",
  of: "limit",
  prepare: Effect.gen(function* () {
    Fs.rmSync(target, { force: true })
    const start = (role: string, path: string, ...more: ReadonlyArray<string>) =>
      Worker.startNode([PROGRAM, role, path, String(ram.size), String(connections), ...more])
    const sender = yield* start("send", ram.path)
    const receiver = yield* start("receive", target, sender.told)
    return (check) =>
      Effect.gen(function* () {
        const begin = performance.now()
        yield* Effect.all([sender.run(), receiver.run()], { concurrency: 2, discard: true })
        const total = performance.now() - begin
        if (check) yield* ram.compare(target, 0)
        return { total, phases: {} }
      })
  })
})

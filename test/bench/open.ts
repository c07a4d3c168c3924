/**
 * How long it takes to open an image of a very large machine.
 */
import * as Effect from "effect/Effect"
import * as ChildProcess from "node:child_process"
import * as Path from "node:path"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as PageBitmap from "../../src/ram/PageBitmap.ts"
import type * as RamBlock from "../../src/ram/RamBlock.ts"
import { MAIN_BLOCK } from "../support/qemu/guest.ts"
import type { Machine } from "./machine.ts"
import { atMost, type Verdict } from "./targets.ts"
import { median } from "./variant.ts"
import { BenchError } from "./worker.ts"

/** The command as it is installed: `npm run bench` builds it first. */
const COMMAND = Path.resolve(import.meta.dirname, "../../dist/bin.js")

/** 1 TiB of RAM. */
const SIZE = 2 ** 40
const PAGE = 4096

/** Every so many pages one holds something. */
const PRESENT_EVERY = 65536

/** Milliseconds. */
const LIMIT = 1000

const fill = (_offset: number, target: Uint8Array): Effect.Effect<void> => Effect.sync(() => void target.fill(1))

const hugeBlock = (): RamBlock.Readable => {
  const present = PageBitmap.make(SIZE / PAGE)
  for (let page = 0; page < SIZE / PAGE; page += PRESENT_EVERY) present.setRange(page, 1)
  return { idstr: MAIN_BLOCK, usedLength: SIZE, pageSize: PAGE, reader: { present, view: undefined, readInto: fill } }
}

const timed = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<number, E> =>
  Effect.suspend(() => {
    const begin = performance.now()
    return Effect.map(effect, () => performance.now() - begin)
  })

const info = (path: string): Effect.Effect<void, BenchError> =>
  Effect.callback((resume) => {
    ChildProcess.execFile(process.execPath, [COMMAND, "info", path, "--json"], (error) =>
      resume(error === null ? Effect.void : Effect.fail(new BenchError({ reason: error.message })))
    )
  })

/** Opens an image with 1 TiB of RAM in this process, and has the command describe it in one of its own. */
export const run = (machine: Machine): Effect.Effect<ReadonlyArray<Verdict>, BenchError> =>
  Effect.gen(function* () {
    const target = machine.file("disk", "image")
    const { save } = yield* Migration.Migration
    yield* save({ target, blocks: [hugeBlock()] })
    const { rounds } = machine.settings
    const repeat = <E>(effect: Effect.Effect<unknown, E>) =>
      Effect.map(Effect.all(Array.from({ length: rounds }, () => timed(effect))), median)
    return [
      atMost("opening an image of 1 TiB of RAM", yield* repeat(Effect.scoped(Image.open(target))), LIMIT, "ms"),
      atMost("multifd info of it, from start to end", yield* repeat(info(target)), LIMIT, "ms")
    ]
  }).pipe(
    Effect.provide(Migration.layer),
    Effect.mapError((error) => new BenchError({ reason: error.message }))
  )

import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import type * as ReturnPath from "../../src/format/stream/ReturnPath.ts"
import * as Integrity from "../../src/image/Integrity.ts"
import * as Postcopy from "../../src/postcopy/Postcopy.ts"
import { PostcopyPausedError } from "../../src/postcopy/PostcopyPausedError.ts"
import * as PageBitmap from "../../src/ram/PageBitmap.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import type { SnapshotSource } from "../../src/snapshot/SnapshotSource.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as Destination from "../support/wire/postcopyDestination.ts"

const PAGE = 4096
const PAGES = 300
const address = SocketAddress.tcp("10.0.0.1", 4444)

const damage = new Integrity.IntegrityError({ path: "vm.img", damage: [] })

/** One block of pages that are all present; some cannot be read. */
const sourceOf = (damaged: (page: number) => boolean = () => false): SnapshotSource<Integrity.IntegrityError> => {
  const present = PageBitmap.make(PAGES)
  present.setRange(0, PAGES)
  const readInto = (offset: number, target: Uint8Array) =>
    Effect.suspend(() => {
      for (let at = 0; at < target.length; at += PAGE) {
        if (damaged((offset + at) / PAGE)) return Effect.fail(damage)
        target.fill(1 + (((offset + at) / PAGE) % 255), at, at + PAGE)
      }
      return Effect.void
    })
  return {
    name: "vm.img",
    blocks: [
      { idstr: "ram", usedLength: PAGES * PAGE, pageSize: PAGE, reader: { present, view: undefined, readInto } }
    ],
    machine: "none",
    machineState: MachineState.empty({}),
    readUnit: 1
  }
}

const run = Effect.fnUntraced(function* (
  source: SnapshotSource<Integrity.IntegrityError>,
  options: {
    readonly says?: ReadonlyArray<ReturnPath.Message>
    readonly more?: Partial<Postcopy.Options<Integrity.IntegrityError>>
    readonly plan?: VirtualNetwork.Options["plan"]
  } = {}
) {
  const memory = Destination.makeMemory(source.blocks)
  const network = yield* VirtualNetwork.make({ plan: options.plan })
  const present = new Map(source.blocks.map(({ idstr, reader }) => [idstr, reader.present]))
  const destination = { address, memory, present, preempt: false, random: () => 0.5, touches: 0, says: options.says }
  const sent = yield* Effect.gen(function* () {
    const there = yield* Effect.forkScoped(Effect.exit(Destination.once(destination)))
    yield* Effect.yieldNow
    const result = yield* Effect.result(Postcopy.send({ source, to: address, ...options.more }))
    yield* Fiber.interrupt(there)
    return result
  }).pipe(Effect.scoped, Effect.provide(network.layer))
  assert.strictEqual(network.openEnds(), 0)
  return { sent, memory }
})

const request = (page: number): ReturnPath.Message => ({
  _tag: "RequestPagesOfBlock",
  idstr: "ram",
  offset: page * PAGE,
  length: PAGE
})

describe("a postcopy source", () => {
  it.live("says when the guest runs, and what was asked for", () =>
    Effect.gen(function* () {
      const asked: Array<number> = []
      let hasRun = false
      const { memory, sent } = yield* run(sourceOf(), {
        says: [request(250), request(250), request(40)],
        more: {
          onRunning: Effect.sync(() => void (hasRun = true)),
          onRequest: ({ offset }) => void asked.push(offset / PAGE)
        }
      })
      assert(sent._tag === "Success")
      assert.isTrue(hasRun)
      assert.deepStrictEqual(asked.slice(0, 1), [250])
      assert.strictEqual(new Set(asked).size, asked.length)
      assert.strictEqual(sent.success.requests, asked.length)
      assert.strictEqual(sent.success.normalPages, PAGES)
      assert.deepStrictEqual(memory.violations, [])
    })
  )

  it.live("lazy: sends nothing unasked until it is told to", () =>
    Effect.gen(function* () {
      const finish = Latch.makeUnsafe()
      let pages = 0
      const answered = Effect.sync(() => {
        pages++
        finish.openUnsafe()
      })
      const { sent } = yield* run(sourceOf(), {
        says: [request(7)],
        more: { lazyUntil: finish.await, onAnswered: () => Effect.runSync(answered) }
      })
      assert.strictEqual(pages, 1)
      assert(sent._tag === "Success")
      assert.strictEqual(sent.success.normalPages, PAGES)
    })
  )

  for (const [title, message] of [
    ["pages behind the end of a block", request(PAGES)],
    ["pages of a block that was never announced", { ...request(0), idstr: "other" } as ReturnPath.Message],
    ["pages before any block was named", { _tag: "RequestPages", offset: 0, length: PAGE } as ReturnPath.Message]
  ] as const) {
    it.live(`refuses a request for ${title}; the guest is paused`, () =>
      Effect.gen(function* () {
        const { sent } = yield* run(sourceOf(), { says: [message], more: { lazyUntil: Effect.never } })
        assert(sent._tag === "Failure" && sent.failure instanceof PostcopyPausedError)
        assert.deepInclude((sent.failure.cause as { readonly findings: ReadonlyArray<unknown> }).findings[0], {
          code: "request-out-of-range"
        })
      })
    )
  }

  it.live("a damaged page: what is not damaged is answered, and the error names what the guest waits for", () =>
    Effect.gen(function* () {
      const problems: Array<string> = []
      const isDamaged = (page: number) => page >= 160 && page < 176
      const { memory, sent } = yield* run(sourceOf(isDamaged), {
        says: [request(299), request(170)],
        more: { onProblem: (problem) => Effect.sync(() => void problems.push(problem)), prefix: [] }
      })
      assert(sent._tag === "Failure" && sent.failure instanceof PostcopyPausedError)
      assert.deepStrictEqual(sent.failure.waitsFor, { idstr: "ram", offset: 170 * PAGE })
      assert.strictEqual(sent.failure.cause, damage)
      assert.isFalse(memory.received.get("ram")?.has(170))
    })
  )

  it.live("a damaged page in the prefix: the guest never ran", () =>
    Effect.gen(function* () {
      const { memory, sent } = yield* run(
        sourceOf((page) => page === 3),
        {
          more: { prefix: [{ idstr: "ram", offset: 3 * PAGE }] }
        }
      )
      assert(sent._tag === "Failure")
      assert.strictEqual(sent.failure, damage)
      assert.isFalse(memory.hasRun)
    })
  )

  it.live("a destination that fails before the guest runs is no paused guest", () =>
    Effect.gen(function* () {
      const plan = [{ connection: 0, at: 30, fault: VirtualNetwork.Fault.Reset() }]
      const { sent } = yield* run(sourceOf(), { plan })
      assert(sent._tag === "Failure")
      assert.strictEqual(sent.failure._tag, "ConnectionLostError")
    })
  )

  it.live("refuses an image without all of its RAM, before anything is opened", () =>
    Effect.gen(function* () {
      const source = sourceOf()
      const blocks = source.blocks.map((block) => ({ ...block, ignored: true }))
      const failure = yield* Effect.flip(Postcopy.send({ source: { ...source, blocks }, to: address }))
      assert.strictEqual(failure._tag, "MigrationRequestError")
      const notes = { lost: [{ idstr: "ram", pages: 3 }] }
      const lost = yield* Effect.flip(Postcopy.send({ source: { ...source, notes }, to: address }))
      assert.strictEqual(lost._tag, "MigrationRequestError")
    })
  )
})

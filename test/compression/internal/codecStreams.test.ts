import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import { CompressionLevelError, CompressorClosedError } from "../../../src/compression/CompressionError.ts"
import { makeCodecStreams, type CodecStreams, type Task } from "../../../src/compression/internal/codecStreams.ts"
import { compressPieces } from "../../../src/compression/internal/pieces.ts"
import { makeStreamCompressor, makeStreamDecompressor } from "../../../src/compression/internal/streamCodec.ts"
import { FakeNative, libraryError } from "../../support/codecs/fakeNative.ts"

const pieces = Array.from({ length: 7 }, (_, index) => new Uint8Array(3).fill(index))

/** CodecStreams on streams that the test works. */
const make = Effect.fnUntraced(function* (count: number) {
  const natives: Array<FakeNative> = []
  const open = () => {
    const native = new FakeNative()
    natives.push(native)
    return native
  }
  const streams = yield* makeCodecStreams({ method: "zlib", open, reset: (native) => native.reset() }, count)
  return { streams, natives }
})

const begin = (streams: CodecStreams) =>
  Effect.forkChild(compressPieces(streams, "zlib", pieces), { startImmediately: true })

/** Gives streams their turn: the next turn of the event loop. */
const turn = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))

describe("streams", () => {
  it.effect("share the pieces, as many under way as there are streams, and keep what came out in order", () =>
    Effect.gen(function* () {
      const { streams, natives } = yield* make(3)
      const running = yield* begin(streams)
      yield* turn
      let rounds = 0
      while (natives.some(({ finish }) => finish !== undefined)) {
        const busy = natives.filter(({ finish }) => finish !== undefined)
        assert.lengthOf(busy, [3, 3, 1][rounds++]!)
        for (const { finish } of busy.toReversed()) finish!()
        yield* turn
      }
      const packed = yield* Fiber.join(running)
      assert.deepStrictEqual(
        packed.map(({ parts }) => new Uint8Array(Buffer.concat(parts))),
        pieces
      )
      assert.deepStrictEqual(
        natives.map(({ resets }) => resets),
        [2, 2, 3]
      )
    })
  )

  it.effect("fail with the first failure, when nothing is under way any more, and are closed", () =>
    Effect.gen(function* () {
      const { streams, natives } = yield* make(3)
      const running = yield* begin(streams)
      yield* turn
      natives[1]!.finish!(libraryError("Z_MEM_ERROR"))
      yield* turn
      assert.isUndefined(running.pollUnsafe())
      natives[2]!.finish!(libraryError("Z_STREAM_ERROR"))
      yield* turn
      natives[0]!.finish!()
      yield* turn
      assert.isUndefined(natives[0]!.finish)
      const error = yield* Effect.flip(Fiber.join(running))
      assert(error._tag === "CompressorFailedError")
      assert.strictEqual(error.code, "Z_MEM_ERROR")
      assert.strictEqual(error.message, "zlib: the compressor failed with Z_MEM_ERROR")
      assert.strictEqual(error[Runtime.errorExitCode], 1)
      assert.isTrue(natives.every(({ destroyed }) => destroyed))
      const closed = yield* Effect.flip(compressPieces(streams, "zlib", []))
      assert.strictEqual(closed._tag, "CompressorClosedError")
      assert.strictEqual(closed[Runtime.errorExitCode], 1)
    })
  )

  it.effect("call a failure without a code unknown", () =>
    Effect.gen(function* () {
      const { streams, natives } = yield* make(1)
      const running = yield* begin(streams)
      yield* turn
      natives[0]!.finish!(new Error("no code"))
      const error = yield* Effect.flip(Fiber.join(running))
      assert.strictEqual(error.message, "zlib: the compressor failed with UNKNOWN")
    })
  )

  it.effect("wait for the pieces under way when they are interrupted, and take none of the others", () =>
    Effect.gen(function* () {
      const { streams, natives } = yield* make(2)
      const running = yield* begin(streams)
      yield* turn
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(running), { startImmediately: true })
      natives[0]!.finish!()
      yield* turn
      assert.isTrue(natives[0]!.destroyed)
      assert.isFalse(natives[1]!.destroyed)
      assert.isUndefined(interrupting.pollUnsafe())
      natives[1]!.finish!(libraryError("Z_DATA_ERROR"))
      yield* Fiber.join(interrupting)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(running)))
      assert.isTrue(natives.every(({ destroyed, finish }) => destroyed && finish === undefined))
    })
  )

  it.effect("are closed by their scope and by an interruption at once", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { streams, natives } = yield* Scope.provide(make(1), scope)
      const running = yield* begin(streams)
      yield* turn
      const closing = yield* Effect.forkChild(
        Effect.all([Scope.close(scope, Exit.void), Fiber.interrupt(running)], { concurrency: 2 }),
        { startImmediately: true }
      )
      natives[0]!.finish!()
      yield* Fiber.join(closing)
      assert.isTrue(natives[0]!.destroyed)
    })
  )

  it.effect("are freed by their scope", () =>
    Effect.gen(function* () {
      const { natives } = yield* Effect.scoped(make(4))
      assert.deepStrictEqual(
        natives.map(({ destroyed }) => destroyed),
        [true, true, true, true]
      )
    })
  )

  it.effect("free what is open when another one cannot be opened", () =>
    Effect.gen(function* () {
      const natives: Array<FakeNative> = []
      const open = () => {
        if (natives.length === 2) throw libraryError("ERR_ZLIB_INITIALIZATION_FAILED")
        const native = new FakeNative()
        natives.push(native)
        return native
      }
      const error = yield* Effect.flip(makeCodecStreams({ method: "zstd", open }, 4))
      assert.strictEqual(error._tag, "CompressorFailedError")
      assert.strictEqual(error.message, "zstd: the compressor failed with ERR_ZLIB_INITIALIZATION_FAILED")
      assert.deepStrictEqual(
        natives.map(({ destroyed }) => destroyed),
        [true, true]
      )
    })
  )

  it.effect("do nothing for a task without pieces", () =>
    Effect.gen(function* () {
      const { streams } = yield* make(3)
      const task: Task = {
        pieces: 0,
        input: () => assert.fail(),
        output: () => assert.fail(),
        checkOutput: () => assert.fail()
      }
      yield* streams.run(task)
      yield* streams.run(task)
    })
  )

  for (const [what, end] of [
    [
      "pages become more than twice as much",
      (native: FakeNative) => {
        native.push(new Uint8Array(8192))
        native.finish!()
      }
    ],
    ["the library gives up", (native: FakeNative) => native.finish!(libraryError("ENOMEM"))]
  ] as const) {
    it.effect(`fail to compress when ${what}`, () =>
      Effect.gen(function* () {
        const native = new FakeNative()
        const { compress } = yield* makeStreamCompressor({ method: "zstd", open: () => native })
        const running = yield* Effect.forkChild(compress([new Uint8Array(4096)], 4096), { startImmediately: true })
        yield* turn
        end(native)
        const error = yield* Effect.flip(Fiber.join(running))
        assert.strictEqual(error._tag, "CompressorFailedError")
        assert.isTrue(native.destroyed)
      })
    )
  }

  it.effect("do not blame the payload for a library that gives up", () =>
    Effect.gen(function* () {
      const native = new FakeNative()
      const { decompress } = yield* makeStreamDecompressor({ method: "zstd", open: () => native })
      const running = yield* Effect.forkChild(decompress(new Uint8Array(9), new Uint8Array(4096), 4096), {
        startImmediately: true
      })
      yield* turn
      native.finish!(libraryError("ZSTD_error_memory_allocation"))
      const error = yield* Effect.flip(Fiber.join(running))
      assert.strictEqual(error.message, "zstd: the compressor failed with ZSTD_error_memory_allocation")
    })
  )

  it("fails with the exit codes of the errors' kinds", () => {
    const level = new CompressionLevelError({ method: "zlib", minimum: 0, maximum: 9, found: 10 })
    assert.strictEqual(level[Runtime.errorExitCode], 2)
    assert.match(new CompressorClosedError({ method: "zlib" }).message, /^zlib: the stream is closed/)
  })
})

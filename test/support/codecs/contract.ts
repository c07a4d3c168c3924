/**
 * What holds for every codec.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import type { Codec, Compressor, Decompressor } from "../../../src/compression/Compression.ts"
import type { CompressionError } from "../../../src/compression/CompressionError.ts"
import { between } from "../arbitraries.ts"
import * as Bytes from "../bytes.ts"
import * as Captured from "./captured.ts"
import * as Packets from "./packets.ts"

const PAGE = 4096

/** The payload of a packet, in one piece. */
export const payloadOf = (
  { compress }: Compressor,
  runs: ReadonlyArray<Uint8Array>,
  pageSize = PAGE
): Effect.Effect<Buffer, CompressionError> => Effect.map(compress(runs, pageSize), (parts) => Buffer.concat(parts))

/** What comes out of a payload. */
export const pagesOf = (
  { decompress }: Decompressor,
  payload: Uint8Array,
  length: number,
  pageSize = PAGE
): Effect.Effect<Uint8Array, CompressionError> => {
  const target = new Uint8Array(length)
  return Effect.as(decompress(payload, target, pageSize), target)
}

/** The payloads of packets that one compressor makes. */
export const payloadsOf = Effect.fnUntraced(function* (
  codec: Codec,
  packets: ReadonlyArray<ReadonlyArray<Packets.Page>>,
  options: { readonly pageSize?: number; readonly level?: number } = {}
) {
  const { level, pageSize = PAGE } = options
  const compressor = yield* codec.compressor({ level })
  return yield* Effect.forEach(packets, (pages) => payloadOf(compressor, Packets.runs(pages, pageSize), pageSize))
})

/** How decompressing one payload with a new decompressor fails. */
export const failureOf = Effect.fnUntraced(function* (codec: Codec, payload: Uint8Array, length: number) {
  const error = yield* Effect.flip(pagesOf(yield* codec.decompressor, payload, length))
  if (error._tag !== "PayloadError") return assert.fail(error.message)
  assert.strictEqual(error[Runtime.errorExitCode], 8)
  return error
}, Effect.scoped)

/** What is said of one codec: QEMU's flag and levels, and payloads that did not come from it. */
export interface Expectations {
  readonly method: Codec["method"]
  readonly flag: number
  readonly levels: Codec["levels"]
  /** Captured from a real QEMU: a file of `test/fixtures/compression`, and how long each payload in it is. */
  readonly captured?: { readonly file: string; readonly lengths: ReadonlyArray<number> }
  /** Payloads, by what they are, of many pages that are all zero, for a packet of sixteen. */
  readonly bombs?: Readonly<Record<string, Uint8Array>>
  /** Payloads, by what they are, of {@link sixteen} pages that are corrupt. */
  readonly corrupt?: Readonly<Record<string, Uint8Array>>
}

/** Sixteen pages of every kind, as one run. */
export const sixteen: Uint8Array = Packets.contents(Packets.mixed(16), PAGE)

/** Bytes that differ in one place, counted from the end: 1 is the last one. */
export const changedAt = (bytes: Uint8Array, fromEnd: number): Uint8Array => {
  const at = bytes.length - fromEnd
  return bytes.with(at, bytes[at]! ^ 1)
}

/** The tests of what one codec is expected to be. */
const describeExpectations = (codec: Codec, expected: Expectations): void => {
  const { captured, levels } = expected
  it("has QEMU's name, flag, levels and room", () => {
    assert.strictEqual(codec.method, expected.method)
    assert.strictEqual(codec.flag, expected.flag)
    assert.deepStrictEqual(codec.levels, levels)
    assert.isAtMost(codec.maxPayload(128, PAGE), 1024 * 1024)
    if (levels.min < levels.max) assert.strictEqual(codec.maxPayload(128, PAGE), 1024 * 1024)
  })

  if (captured !== undefined)
    it.effect("decompresses what a real QEMU sent", () =>
      Effect.gen(function* () {
        const decompressor = yield* codec.decompressor
        for (const [payload, pages] of Captured.packets(captured.file, captured.lengths))
          assert.deepStrictEqual(yield* pagesOf(decompressor, payload, pages.length), pages)
      })
    )

  if (levels.min < levels.max)
    it.effect("compresses more at a higher level", () =>
      Effect.gen(function* () {
        const [low, high] = yield* Effect.forEach([levels.default, levels.max], (level) =>
          payloadsOf(codec, [Packets.mixed(20)], { level })
        )
        assert.isBelow(high![0]!.length, low![0]!.length)
      })
    )

  for (const [name, bomb] of Object.entries(expected.bombs ?? {}))
    it.effect(`refuses ${name} with its first output`, () =>
      Effect.gen(function* () {
        const error = yield* failureOf(codec, bomb, sixteen.length)
        assert.strictEqual(error.problem, "too-much-output")
        const expected = `${codec.method} payload: expected 65536 bytes after decompression, found more`
        assert.strictEqual(error.message, expected)
      })
    )

  for (const [name, payload] of Object.entries(expected.corrupt ?? {}))
    it.effect(`refuses ${name}`, () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* failureOf(codec, payload, sixteen.length)).problem, "corrupt")
      })
    )
}

/** Runs the tests of the contract. */
export const describeContract = (codec: Codec, expected: Expectations) => {
  describeExpectations(codec, expected)
  describe("as every codec", () => {
    const packet = Packets.mixed(16)
    const runs = Packets.runs(packet, PAGE)
    const whole = Packets.contents(packet, PAGE)

    it.effect.prop(
      "gives back what was put in, packet by packet, whatever the runs",
      { packets: Packets.packets, pageSize: Packets.pageSize },
      ({ packets, pageSize }) =>
        Effect.gen(function* () {
          const decompressor = yield* codec.decompressor
          const payloads = yield* payloadsOf(codec, packets, { pageSize })
          for (const [index, payload] of payloads.entries()) {
            const expected = Packets.contents(packets[index]!, pageSize)
            assert.isAtMost(payload.length, codec.maxPayload(packets[index]!.length, pageSize))
            assert.deepStrictEqual(yield* pagesOf(decompressor, payload, expected.length, pageSize), expected)
          }
        }),
      { arbitrary: { runs: 40 } }
    )

    it.effect("makes the same payload of pages that lie together and of pages that do not", () =>
      Effect.gen(function* () {
        assert.isAbove(runs.length, 2)
        const apart = yield* payloadOf(yield* codec.compressor({}), runs)
        const together = yield* payloadOf(yield* codec.compressor({}), [whole])
        assert.deepStrictEqual(apart, together)
      })
    )

    it.effect("keeps the largest packet of QEMU within the bound, even if nothing shrinks", () =>
      Effect.gen(function* () {
        const pages = Packets.mixed(128).map((page) => ({ ...page, kind: "random" as const }))
        for (const level of [codec.levels.min, codec.levels.max]) {
          const [payload] = yield* payloadsOf(codec, [pages], { level })
          assert.isAtMost(payload!.length, codec.maxPayload(128, PAGE))
          assert.isAtMost(payload!.length, 1024 * 1024)
          const out = yield* pagesOf(yield* codec.decompressor, payload!, 128 * PAGE)
          assert.deepStrictEqual(out, Packets.contents(pages, PAGE))
        }
      })
    )

    it.effect("takes pages from any kind of memory", () =>
      Effect.gen(function* () {
        const memories = [
          new SharedArrayBuffer(whole.length),
          new SharedArrayBuffer(whole.length, { maxByteLength: whole.length }),
          new ArrayBuffer(whole.length, { maxByteLength: 2 * whole.length })
        ]
        for (const memory of memories) {
          const view = new Uint8Array(memory)
          view.set(whole)
          const payload = yield* payloadOf(yield* codec.compressor({}), [view])
          assert.deepStrictEqual(yield* pagesOf(yield* codec.decompressor, payload, whole.length), whole)
        }
      })
    )

    it.effect("leaves a payload alone while the next one is made", () =>
      Effect.gen(function* () {
        const { compress } = yield* codec.compressor({})
        const first = yield* compress(runs, PAGE)
        let given = { parts: first, bytes: Buffer.concat(first) }
        for (let packet = 0; packet < 20; packet++) {
          const parts = yield* compress([new Uint8Array((packet + 1) * PAGE).fill(packet)], PAGE)
          assert.deepStrictEqual(Buffer.concat(given.parts), given.bytes)
          given = { parts, bytes: Buffer.concat(parts) }
        }
      })
    )

    it.effect.prop(
      "refuses any bytes",
      { bytes: Bytes.bytes(200), pages: between(0, 3) },
      ({ bytes, pages }) =>
        Effect.gen(function* () {
          const result = yield* Effect.result(pagesOf(yield* codec.decompressor, bytes, pages * PAGE))
          if (Result.isFailure(result)) assert.strictEqual(result.failure._tag, "PayloadError")
          else assert.strictEqual(bytes.length + pages, 0)
        }),
      { arbitrary: { runs: 200 } }
    )

    it.effect.prop(
      "takes or refuses a payload that was changed on its way",
      { mutation: Bytes.mutation, cut: between(0, 4) },
      ({ cut, mutation }) =>
        Effect.gen(function* () {
          const [payload] = yield* payloadsOf(codec, [packet])
          const changed = Bytes.mutate(payload!, mutation)
          const received = changed.subarray(0, changed.length - cut * 7)
          const result = yield* Effect.result(pagesOf(yield* codec.decompressor, received, whole.length))
          if (Result.isFailure(result)) assert.strictEqual(result.failure._tag, "PayloadError")
        }),
      { arbitrary: { runs: 100 } }
    )

    it.effect("refuses a payload of too few and of too many pages", () =>
      Effect.gen(function* () {
        const [payload] = yield* payloadsOf(codec, [packet])
        for (const pages of [0, 1, 15, 17, 128]) yield* failureOf(codec, payload!, pages * PAGE)
      })
    )

    it.effect("refuses output that does not fit any more, however much fits before", () =>
      Effect.gen(function* () {
        const large = Packets.mixed(256).map((page) => ({ ...page, kind: "text" as const }))
        const [payload] = yield* payloadsOf(codec, [large])
        yield* failureOf(codec, payload!, 175 * PAGE)
      })
    )

    it.effect("refuses a packet of pages that has no payload, and a payload without pages", () =>
      Effect.gen(function* () {
        yield* failureOf(codec, new Uint8Array(0), PAGE)
        yield* failureOf(codec, new Uint8Array(4), 0)
      })
    )

    it.effect("gives nothing more after a failure", () =>
      Effect.gen(function* () {
        const decompressor = yield* codec.decompressor
        const [payload] = yield* payloadsOf(codec, [packet])
        assert.strictEqual((yield* Effect.flip(pagesOf(decompressor, payload!, PAGE)))._tag, "PayloadError")
        const error = yield* Effect.flip(pagesOf(decompressor, payload!, whole.length))
        assert.strictEqual(error._tag, "CompressorClosedError")
        assert.include(error.message, codec.method)
        const again = yield* Effect.flip(pagesOf(decompressor, new Uint8Array(1), PAGE))
        assert.strictEqual(again._tag, "CompressorClosedError")
      })
    )

    it.effect("gives nothing more after its scope", () =>
      Effect.gen(function* () {
        const compressor = yield* Effect.scoped(codec.compressor({}))
        assert.strictEqual((yield* Effect.flip(compressor.compress(runs, PAGE)))._tag, "CompressorClosedError")
        const decompressor = yield* Effect.scoped(codec.decompressor)
        const [payload] = yield* payloadsOf(codec, [packet])
        const error = yield* Effect.flip(pagesOf(decompressor, payload!, whole.length))
        assert.strictEqual(error._tag, "CompressorClosedError")
      })
    )

    it.effect("gives nothing more after an interruption, which leaves the target alone from then on", () =>
      Effect.gen(function* () {
        const compressor = yield* codec.compressor({ level: codec.levels.max })
        const compressing = yield* Effect.forkChild(compressor.compress(runs, PAGE), { startImmediately: true })
        yield* Fiber.interrupt(compressing)
        assert.strictEqual((yield* Effect.flip(compressor.compress(runs, PAGE)))._tag, "CompressorClosedError")

        const decompressor = yield* codec.decompressor
        const [payload] = yield* payloadsOf(codec, [packet])
        const target = new Uint8Array(whole.length)
        const call = decompressor.decompress(payload!, target, PAGE)
        yield* Fiber.interrupt(yield* Effect.forkChild(call, { startImmediately: true }))
        target.fill(0)
        yield* payloadsOf(codec, [packet, packet])
        assert.deepStrictEqual(target, new Uint8Array(whole.length))
        assert.strictEqual((yield* Effect.flip(call))._tag, "CompressorClosedError")
      })
    )

    it.effect("is interrupted while it finds the payload to be wrong", () =>
      Effect.gen(function* () {
        const [payload] = yield* payloadsOf(codec, [packet])
        const wrong = Bytes.mutate(payload!, [{ place: payload!.length - 9, value: 0xa5 }])
        const call = pagesOf(yield* codec.decompressor, wrong.subarray(0, wrong.length - 2), whole.length)
        yield* Fiber.interrupt(yield* Effect.forkChild(call, { startImmediately: true }))
      })
    )

    it.effect("ends a call when its scope ends meanwhile", () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const compressor = yield* Scope.provide(codec.compressor({}), scope)
        const compressing = yield* Effect.forkChild(compressor.compress(runs, PAGE), { startImmediately: true })
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* Effect.flip(Fiber.join(compressing)))._tag, "CompressorClosedError")
      })
    )

    it.effect("takes one call at a time", () =>
      Effect.gen(function* () {
        const compressor = yield* codec.compressor({})
        const both = Effect.all([compressor.compress(runs, PAGE), compressor.compress(runs, PAGE)], { concurrency: 2 })
        const exit = yield* Effect.exit(both)
        assert.isTrue(Exit.hasDies(exit))
      })
    )

    it.effect("knows its levels", () =>
      Effect.gen(function* () {
        const { max, min } = codec.levels
        for (const level of [min - 1, max + 1, min + 0.5, Number.NaN]) {
          const error = yield* Effect.flip(codec.compressor({ level }))
          assert.strictEqual(error._tag, "CompressionLevelError")
          assert.strictEqual(
            error.message,
            `${codec.method}: the level is ${level}; use a whole number from ${min} to ${max}`
          )
        }
        for (const level of [min, max, undefined]) yield* codec.compressor({ level })
      })
    )
  })
}

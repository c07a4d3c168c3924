import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeZlib from "node:zlib"
import { makeNativeStream } from "../../../src/compression/internal/nativeStream.ts"
import { chunkSize } from "../../../src/compression/internal/streamCodec.ts"

const PACKET = 512 * 1024
const packets = Array.from({ length: 6 }, (_, number) => Buffer.alloc(PACKET, `packet ${number}`))

/** The packets one after the other through one stream: what came out of each, copied at once, and in which memory it was. */
const inflateAll = Effect.fnUntraced(function* (reuse: boolean) {
  const flush = NodeZlib.constants.Z_SYNC_FLUSH
  const deflate = makeNativeStream(NodeZlib.createDeflate({ flush, chunkSize }))
  const inflate = makeNativeStream(NodeZlib.createInflate({ flush, chunkSize }), { reuse })
  const through = (stream: Pick<typeof deflate, "feed">, input: Uint8Array, output: (bytes: Uint8Array) => void) =>
    Effect.callback<void, Error>((resume) =>
      stream.feed(
        input,
        (bytes) => {
          output(bytes)
          return true
        },
        (error) => resume(error === null ? Effect.void : Effect.fail(error))
      )
    )
  const memories = new Set<ArrayBufferLike>()
  for (const packet of packets) {
    const [payload, pages]: [Array<Uint8Array>, Array<Uint8Array>] = [[], []]
    yield* through(deflate, packet, (bytes) => payload.push(bytes))
    yield* through(inflate, Buffer.concat(payload), (bytes) => {
      memories.add(bytes.buffer)
      pages.push(Uint8Array.from(bytes))
    })
    assert.isTrue(packet.equals(Buffer.concat(pages)))
  }
  for (const { close } of [deflate, inflate]) yield* Effect.callback<void>((resume) => close(() => resume(Effect.void)))
  return memories.size
})

describe("a native stream", () => {
  it.effect("writes each packet into new memory", () =>
    Effect.gen(function* () {
      assert.isAtLeast(yield* inflateAll(false), packets.length)
    })
  )

  it.effect("writes all packets into the same memory where nobody needs it any more", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* inflateAll(true), 1)
    })
  )
})

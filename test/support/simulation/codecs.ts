/**
 * Compression in the simulation's own time: the codecs of the library work on Node's thread pool, which no seed decides.
 */
import * as Effect from "effect/Effect"
import * as Zlib from "node:zlib"
import { Codecs } from "../../../src/compression/Codecs.ts"
import { type Codec, flags } from "../../../src/compression/Compression.ts"
import { PayloadError } from "../../../src/compression/CompressionError.ts"
import type { Later } from "../../../src/testing/Simulation.ts"

/** Each packet on its own, done some time later. */
const codec = (later: Later): Codec => {
  const afterwards = Effect.callback<void>((resume) => later(() => resume(Effect.void)))
  const work = <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.uninterruptible(Effect.andThen(afterwards, self))
  return {
    method: "zlib",
    flag: flags.zlib,
    levels: { min: 0, max: 9, default: 1 },
    maxPayload: (pages, pageSize) => 2 * pages * pageSize + 100,
    compressor: () =>
      Effect.succeed({
        compress: (runs) => work(Effect.sync(() => [Zlib.deflateSync(Buffer.concat(runs), { level: 1 })]))
      }),
    decompressor: Effect.succeed({
      decompress: (payload, target) =>
        work(
          Effect.try({
            try: () => {
              const bytes = Zlib.inflateSync(payload, { maxOutputLength: Math.max(1, target.length) })
              if (bytes.length !== target.length) throw new RangeError("too little")
              target.set(bytes)
            },
            catch: (cause) =>
              new PayloadError({ method: "zlib", problem: "corrupt", expected: "pages", found: "none", cause })
          })
        )
    })
  }
}

/** Only zlib is there, and it is the simulation's. */
export const provide = (later: Later) => {
  const only = codec(later)
  return Effect.provideService(Codecs, new Map([[only.method, only]]))
}

/**
 * What reads bytes on other threads, or from a file: the decompressors of packets, and the files of pre-shared keys.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as NodeZlib from "node:zlib"
import type { Codec } from "../../../src/compression/Compression.ts"
import * as Qatzip from "../../../src/compression/Qatzip.ts"
import * as Qpl from "../../../src/compression/Qpl.ts"
import * as Uadk from "../../../src/compression/Uadk.ts"
import * as Zlib from "../../../src/compression/Zlib.ts"
import * as Zstd from "../../../src/compression/Zstd.ts"
import * as TlsCredentials from "../../../src/io/sockets/TlsCredentials.ts"
import * as MemoryDisk from "../../../src/testing/MemoryDisk.ts"
import * as Packets from "../codecs/packets.ts"
import { payload as pagePayload } from "../codecs/pageMethod.ts"
import * as Bytes from "../bytes.ts"
import type { Decoder, Problem } from "./decoders.ts"
import * as Seeds from "./seeds.ts"

const PAGE = 4096
const GUARD = 0x5a
const guard = Buffer.alloc(PAGE, GUARD)

/** The same as of those that answer at once. */
export interface PayloadDecoder extends Omit<Decoder, "decode"> {
  readonly decode: (bytes: Uint8Array) => Effect.Effect<ReadonlyArray<Problem>>
}

/** Fills pages that lie between others. The first byte of an input says how many, the payload follows. */
const decompress = ({ decompressor }: Codec) =>
  Effect.fnUntraced(function* (bytes: Uint8Array) {
    const pages = bytes[0] ?? 0
    const memory = new Uint8Array((pages + 2) * PAGE).fill(GUARD)
    const target = memory.subarray(PAGE, (pages + 1) * PAGE)
    const { decompress } = yield* Effect.orDie(decompressor)
    const result = yield* Effect.result(decompress(bytes.subarray(1), target, PAGE))
    const around = [memory.subarray(0, PAGE), memory.subarray((pages + 1) * PAGE)]
    if (!around.every((side) => guard.equals(side))) throw new Error("written outside of the pages")
    if (Result.isSuccess(result)) return []
    if (result.failure._tag !== "PayloadError") throw new Error(result.failure.message)
    return [result.failure]
  }, Effect.scoped)

const seedOf = (pages: number, payload: Uint8Array): Uint8Array => Bytes.concat(Uint8Array.of(pages), payload)

const text = Packets.contents(Packets.mixed(2), PAGE)

/** Very little that becomes very much. */
const BOMB = new Uint8Array(16 * 1024 * 1024)

/** A packet that a real QEMU sent, one of two pages, and a bomb. */
const streamSeeds = (name: "zlib" | "zstd", pack: (pages: Uint8Array) => Uint8Array): ReadonlyArray<Uint8Array> => {
  const [{ pages, payload }] = Seeds.payloads(name) as [ReturnType<typeof Seeds.payloads>[number]]
  return [seedOf(pages, payload), seedOf(2, pack(text)), seedOf(1, pack(BOMB))]
}

/** Two pages, one of them stored as it is, and a bomb, in the format of methods that compress page by page. */
const pageSeeds = (deflate: (page: Uint8Array) => Buffer): ReadonlyArray<Uint8Array> => {
  const page = text.subarray(0, PAGE)
  return [seedOf(2, pagePayload([deflate(page), page])), seedOf(1, pagePayload([deflate(BOMB).subarray(0, PAGE)]))]
}

const sync = { finishFlush: NodeZlib.constants.Z_SYNC_FLUSH }
const flush = { finishFlush: NodeZlib.constants.ZSTD_e_flush }

const codecs: ReadonlyArray<readonly [codec: Codec, seeds: ReadonlyArray<Uint8Array>]> = [
  [Zlib.codec, streamSeeds("zlib", (pages) => NodeZlib.deflateSync(pages, sync))],
  [Zstd.codec, streamSeeds("zstd", (pages) => NodeZlib.zstdCompressSync(pages, flush))],
  [Qpl.codec, pageSeeds((page) => NodeZlib.deflateRawSync(page))],
  [Uadk.codec, pageSeeds((page) => NodeZlib.deflateSync(page))],
  [Qatzip.codec, [seedOf(2, NodeZlib.gzipSync(text)), seedOf(1, NodeZlib.gzipSync(BOMB))]]
]

const KEYS = "/keys.psk"

const readKeys = (bytes: Uint8Array): Effect.Effect<ReadonlyArray<Problem>> => {
  const disk = MemoryDisk.make()
  disk.write(KEYS, bytes)
  return TlsCredentials.serverFromPskFile(KEYS).pipe(
    Effect.as([]),
    Effect.catch(({ message, reason }) => Effect.succeed([{ expected: reason, found: message }])),
    Effect.provide(disk.layer)
  )
}

const keys = Fs.readFileSync(Path.resolve(import.meta.dirname, "../../fixtures/tls/psk/keys.psk"))

/** Those that `decoders.ts` has not. */
export const payloadDecoders: ReadonlyArray<PayloadDecoder> = [
  ...codecs.map(([codec, seeds]) => ({ name: `${codec.method} payload`, seeds, share: 40, decode: decompress(codec) })),
  { name: "pre-shared keys", seeds: [new Uint8Array(keys)], share: 40, decode: readKeys }
]

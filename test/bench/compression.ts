/**
 * The compression methods by themselves: `node test/bench/compression.ts`. QEMU's zlib and zstd are measured in turn with
 * ours, by a migration of the same pages to a socket that throws everything away.
 *
 *     BENCH_MIB=256                       MiB of pages; none of them is zero
 *     BENCH_ROUNDS=3                      rounds of which the median is taken
 *     BENCH_DATA=program,text             what is in the pages: a program's code, words
 *     BENCH_METHODS=zlib:1,zstd:1,qpl:1   methods and levels
 *
 * MB/s are of pages, over two channels. What counts on a machine that others use, too, is MB per second of CPU time.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as PerfHooks from "node:perf_hooks"
import { Codecs } from "../../src/compression/Codecs.ts"
import type { Codec, CompressionMethod } from "../../src/compression/Compression.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Migrate from "../support/qemu/migrate.ts"
import * as Pattern from "../support/qemu/pattern.ts"
import * as Workspace from "../support/qemu/workspace.ts"
import { markdown } from "./table.ts"
import { median } from "./variant.ts"

const MIB = 1024 * 1024
const PAGE = 4096
const PACKET = 512 * 1024
const CHANNELS = 2

const list = (name: string, fallback: string) =>
  Config.map(Config.withDefault(Config.String(name), fallback), (text) => text.split(","))

const settings = Config.all({
  size: Config.map(Config.withDefault(Config.Int("BENCH_MIB"), 256), (mib) => mib * MIB),
  rounds: Config.withDefault(Config.Int("BENCH_ROUNDS"), 3),
  data: list("BENCH_DATA", "program,text"),
  methods: list("BENCH_METHODS", "zlib:1,zstd:1,qpl:1,uadk:1,qatzip:1")
})

/** What one run over all pages took. */
interface Measured {
  readonly bytes: number
  readonly seconds: number
  readonly cpuSeconds: number
  /** Milliseconds: 99 of 100 turns of the event loop were not later. */
  readonly delay: number
}

const timed = <E, R>(work: Effect.Effect<number, E, R>): Effect.Effect<Measured, E, R> =>
  Effect.suspend(() => {
    const histogram = PerfHooks.monitorEventLoopDelay({ resolution: 1 })
    histogram.enable()
    const cpu = process.cpuUsage()
    const began = performance.now()
    return Effect.map(work, (bytes) => {
      const { system, user } = process.cpuUsage(cpu)
      histogram.disable()
      const seconds = (performance.now() - began) / 1000
      return { bytes, seconds, cpuSeconds: (system + user) / 1e6, delay: histogram.percentile(99) / 1e6 }
    })
  })

/** Does something on each channel, each with its part of the pages, and adds up what they say. */
const onChannels = <E>(
  pages: Uint8Array,
  work: (packets: ReadonlyArray<Uint8Array>, channel: number) => Effect.Effect<number, E, Scope.Scope>
): Effect.Effect<number, E> => {
  const perChannel = pages.length / CHANNELS
  const channels = Array.from({ length: CHANNELS }, (_, channel) => {
    const packets = Array.from({ length: perChannel / PACKET }, (_, packet) => {
      const start = channel * perChannel + packet * PACKET
      return pages.subarray(start, start + PACKET)
    })
    return Effect.scoped(work(packets, channel))
  })
  return Effect.map(Effect.all(channels, { concurrency: "unbounded" }), (bytes) =>
    bytes.reduce((sum, each) => sum + each, 0)
  )
}

const compress = (codec: Codec, level: number, pages: Uint8Array) =>
  timed(
    onChannels(pages, (packets) =>
      Effect.gen(function* () {
        const { compress } = yield* codec.compressor({ level })
        let bytes = 0
        for (const packet of packets) for (const part of yield* compress([packet], PAGE)) bytes += part.length
        return bytes
      })
    )
  )

/** Also compares every byte. */
const decompress = Effect.fnUntraced(function* (codec: Codec, level: number, pages: Uint8Array) {
  const payloads: Array<ReadonlyArray<Buffer>> = []
  yield* onChannels(pages, (packets, channel) =>
    Effect.gen(function* () {
      const { compress } = yield* codec.compressor({ level })
      payloads[channel] = yield* Effect.forEach(packets, (packet) =>
        Effect.map(compress([packet], PAGE), (parts) => Buffer.concat(parts))
      )
      return 0
    })
  )
  const all = (check: boolean) =>
    onChannels(pages, (packets, channel) =>
      Effect.gen(function* () {
        const { decompress } = yield* codec.decompressor
        const target = new Uint8Array(PACKET)
        for (const [packet, payload] of payloads[channel]!.entries()) {
          yield* decompress(payload, target, PAGE)
          if (check && !Buffer.from(target.buffer).equals(packets[packet]!))
            return yield* Effect.die(`${codec.method}: packet ${packet} of channel ${channel} came out wrong`)
        }
        return 0
      })
    )
  yield* all(true)
  return yield* timed(all(false))
})

/** A socket that takes everything; it says how much that was. */
const drain = (path: string): Effect.Effect<() => number, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<{ readonly server: Net.Server; readonly bytes: () => number }>((resume) => {
        let bytes = 0
        const server = Net.createServer((socket) => {
          socket.on("data", (data) => void (bytes += data.length)).on("error", () => {})
        })
        server.listen(path, () => resume(Effect.succeed({ server, bytes: () => bytes })))
      }),
      ({ server }) => Effect.sync(() => server.close())
    ),
    ({ bytes }) => bytes
  )

/** User and system time of a process, in seconds; the kernel counts them in hundredths. */
const cpuOf = (pid: number): number => {
  const fields = Fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")
  return (Number(fields[11]) + Number(fields[12])) / 100
}

const qemu = Effect.fnUntraced(function* (ram: string, size: number, method: CompressionMethod, level: number) {
  const { file } = yield* Workspace.make
  const socket = file("migration")
  const bytes = yield* drain(socket)
  const guest = yield* Guest.start({ ram: { file: ram, size }, args: ["-mem-prealloc"] })
  const before = cpuOf(guest.pid)
  const { "total-time": milliseconds } = yield* Migrate.outgoing(guest, `unix:${socket}`, {
    channels: CHANNELS,
    parameters: { "multifd-compression": method, [`multifd-${method}-level`]: level }
  })
  const measured: Measured = {
    bytes: bytes(),
    seconds: milliseconds! / 1000,
    cpuSeconds: cpuOf(guest.pid) - before,
    delay: Number.NaN
  }
  return measured
}, Effect.scoped)

const row = (name: ReadonlyArray<string>, size: number, rounds: ReadonlyArray<Measured>): ReadonlyArray<string> => {
  const of = (what: (measured: Measured) => number, digits: number) => median(rounds.map(what)).toFixed(digits)
  return [
    ...name,
    of(({ seconds }) => size / 1e6 / seconds, 0),
    of(({ cpuSeconds }) => size / 1e6 / cpuSeconds, 0),
    of(({ bytes }) => bytes / size, 2),
    of(({ delay }) => delay, 1)
  ]
}

const main = Effect.gen(function* () {
  const { data, methods, rounds, size } = yield* settings
  const codecs = yield* Codecs
  const { ram: inMemory } = yield* Workspace.make
  const rows: Array<ReadonlyArray<string>> = []
  for (const content of data) {
    const ram = inMemory(content)
    Pattern.writeFile(ram, content === "program" ? "program" : "text", size)
    const pages = new Uint8Array(Fs.readFileSync(ram))
    for (const [method, level] of methods.map((each) => each.split(":") as [CompressionMethod, string])) {
      const codec = codecs.get(method)!
      const found = { qemu: [] as Array<Measured>, ours: [] as Array<Measured>, back: [] as Array<Measured> }
      for (let round = 0; round < rounds; round++) {
        if (method === "zlib" || method === "zstd") found.qemu.push(yield* qemu(ram, size, method, Number(level)))
        found.ours.push(yield* compress(codec, Number(level), pages))
        found.back.push(yield* decompress(codec, Number(level), pages))
      }
      const name = (who: string) => [content, `${method} ${level}`, who]
      if (found.qemu.length > 0) rows.push(row(name("QEMU"), size, found.qemu))
      rows.push(row(name("ours"), size, found.ours), row(name("ours, decompressing"), size, found.back))
    }
  }
  yield* Console.log(markdown(["data", "method", "", "MB/s", "MB/CPU s", "ratio", "loop p99 ms"], rows))
}).pipe(Effect.scoped)

NodeRuntime.runMain(main)

/**
 * A machine moves from one process to another without a file between them: `send` and `receive`, over a Unix socket here,
 * over TCP and TLS just as well. Either end may as well be a QEMU that migrates.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { Image, MemoryPages, Migration, SocketAddress } from "effect-multifd"
import * as Content from "./support/content.ts"
import { temporaryFile } from "./support/files.ts"

const SIZE = 64 * 2 ** 20
const agreed = { channels: 4, compression: "zstd" } as const

const program = Effect.gen(function* () {
  const migration = yield* Migration.Migration
  const socket = SocketAddress.unix(yield* temporaryFile("socket"))
  const target = yield* temporaryFile("received.img")

  const memory = new Uint8Array(SIZE)
  Content.write(memory, 1)
  const ram = yield* MemoryPages.make({ idstr: "machine.ram", memory })

  const listening = yield* Deferred.make<SocketAddress.SocketAddress>()
  const receive = migration.receive({
    ...agreed,
    listen: socket,
    onListening: (address) => Effect.asVoid(Deferred.succeed(listening, address)),
    target
  })
  const send = Effect.flatMap(Deferred.await(listening), (to) =>
    migration.send({ ...agreed, source: { blocks: [ram] }, to })
  )
  const [received, sent] = yield* Effect.all([receive, send], { concurrency: 2 })
  yield* Console.log(
    `sent ${sent.normalPages} pages as ${sent.bytesTransferred} bytes, and named ${sent.zeroPages} empty ones`
  )
  yield* Console.log(`received ${received.pages} pages`)

  const image = yield* Image.open(target)
  const copy = yield* image.readPages("machine.ram", 0, SIZE)
  yield* Console.log(Buffer.compare(copy, memory) === 0 ? "every byte is the same" : "the copy differs")
}).pipe(Effect.scoped, Effect.provide(Migration.layer))

NodeRuntime.runMain(program)

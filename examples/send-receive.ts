/**
 * A machine moves from one process to another without a file between them: `send` and `receive`, over a Unix socket here,
 * over TCP and TLS just as well. Either end may as well be a QEMU that migrates.
 *
 * With an argument, the machine is that of an image of yours: `node examples/send-receive.ts vm.img`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { Image, MemoryPages, Migration, type RamBlock, SocketAddress } from "effect-multifd"
import * as Content from "./support/content.ts"
import { temporaryFile } from "./support/files.ts"

const SIZE = 64 * 2 ** 20
const agreed = { channels: 4, compression: "zstd" } as const

/** Memory of our own. */
const exampleMachine = Effect.gen(function* () {
  const memory = new Uint8Array(SIZE)
  Content.write(memory, 1)
  return { blocks: [yield* MemoryPages.make({ idstr: "machine.ram", memory })] }
})

const isSame = Effect.fnUntraced(function* <E>(image: Image.Image, block: RamBlock.Readable<E>) {
  const original = new Uint8Array(block.usedLength)
  yield* block.reader.readInto(0, original)
  const copy = yield* image.readPages(block.idstr, 0, block.usedLength)
  return Buffer.compare(original, copy) === 0
})

const program = Effect.gen(function* () {
  const migration = yield* Migration.Migration
  const socket = SocketAddress.unix(yield* temporaryFile("socket"))
  const target = yield* temporaryFile("received.img")
  const [, , yours] = process.argv
  const source = yours === undefined ? yield* exampleMachine : yield* Image.open(yours)

  const listening = yield* Deferred.make<SocketAddress.SocketAddress>()
  const receive = migration.receive({
    ...agreed,
    listen: socket,
    onListening: (address) => Effect.asVoid(Deferred.succeed(listening, address)),
    target
  })
  const send = Effect.flatMap(Deferred.await(listening), (to) => migration.send({ ...agreed, source, to }))
  const [received, sent] = yield* Effect.all([receive, send], { concurrency: 2 })
  yield* Console.log(
    `sent ${sent.normalPages} pages as ${sent.bytesTransferred} bytes, and named ${sent.zeroPages} empty ones`
  )
  yield* Console.log(`received ${received.pages} pages`)

  const image = yield* Image.open(target)
  for (const block of source.blocks) {
    if (!(yield* isSame(image, block))) return yield* Effect.die(`the copy of ${block.idstr} differs`)
  }
  yield* Console.log("every byte is the same")
}).pipe(Effect.scoped, Effect.provide(Migration.layer))

NodeRuntime.runMain(program)

/**
 * Moves a machine from one process to another without a file: `send` and `receive`, here over a Unix socket; TCP and
 * TLS work the same way. Either end can also be a migrating QEMU.
 *
 * With an argument, the machine comes from your image: `node examples/send-receive.ts vm.img`.
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

/** Our own memory. */
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
    `sent ${sent.normalPages} pages as ${sent.bytesTransferred} bytes, and listed ${sent.zeroPages} empty ones`
  )
  yield* Console.log(`received ${received.pages} pages`)

  const image = yield* Image.open(target)
  for (const block of source.blocks) {
    if (!(yield* isSame(image, block))) return yield* Effect.die(`the copy of ${block.idstr} differs`)
  }
  yield* Console.log("every byte is the same")
}).pipe(Effect.scoped, Effect.provide(Migration.layer))

NodeRuntime.runMain(program)

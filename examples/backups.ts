/**
 * Nightly backups of a machine: three snapshots in a store on disk, each of which takes only the pages that have
 * changed, and the oldest of which is forgotten and removed.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { MemoryPages, Migration } from "effect-multifd"
import { DirectoryObjects, Repository, Retention, StoreSource, StoreTarget } from "effect-multifd/store"
import { temporaryFile } from "./support/files.ts"

const PAGE = 4096

const backups = Effect.gen(function* () {
  const migration = yield* Migration.Migration
  const repository = yield* Repository.init({ secret: { _tag: "Passphrase", passphrase: "correct horse battery" } })
  const memory = new Uint8Array(2048 * PAGE).map((_, at) => (at >> 8) % 251)
  const ram = yield* MemoryPages.make({ idstr: "ram", memory })

  const snapshots: Array<StoreTarget.Committed> = []
  for (const night of [1, 2, 3]) {
    memory.fill(night, 0, 8 * PAGE)
    const target = StoreTarget.make(repository, { vm: "web-1", labels: { night: String(night) } })
    const { value } = yield* migration.save({ target, blocks: [ram] })
    snapshots.push(value)
    yield* Console.log(`night ${night}: ${value.pagesNew} pages are new, ${value.pagesKnown} are known`)
  }

  const [oldest, ...kept] = snapshots
  if (oldest !== undefined) yield* Retention.forget(repository, oldest.snapshot)
  const { pruned } = yield* Retention.prune(repository, { graceSeconds: 0 })
  yield* Console.log(`${pruned.length} snapshot removed, ${kept.length} kept`)

  const restored = new Uint8Array(memory.length)
  const source = yield* StoreSource.open(repository, "web-1@latest")
  const target = yield* MemoryPages.make({ idstr: "ram", memory: restored })
  yield* migration.restore({ source, blocks: [target] })
  const same = Buffer.compare(memory, restored) === 0
  yield* Console.log(`the newest snapshot is ${same ? "the memory, byte for byte" : "something else"}`)
})

const program = Effect.gen(function* () {
  const store = yield* temporaryFile("store")
  yield* Effect.provide(backups, [DirectoryObjects.layer(store), Migration.layer])
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)

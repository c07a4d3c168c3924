/** Small machines that are saved into a store, and read back. */
import * as Effect from "effect/Effect"
import * as Migration from "../../../src/migration/Migration.ts"
import * as MemoryPages from "../../../src/ram/MemoryPages.ts"
import type * as Repository from "../../../src/store/Repository.ts"
import * as StoreSource from "../../../src/store/StoreSource.ts"
import * as StoreTarget from "../../../src/store/StoreTarget.ts"

export const PAGE = 4096

/** So many pages, each filled with its own number and a seed; every fourth is zero. */
export const memoryOf = (pages: number, seed = 0): Uint8Array => {
  const bytes = new Uint8Array(pages * PAGE)
  for (let page = 0; page < pages; page++) {
    if (page % 4 !== 3) bytes.fill(1 + ((page * 7 + seed) % 250), page * PAGE, (page + 1) * PAGE)
  }
  return bytes
}

/** Saves one block as a new snapshot. */
export const save = (
  repository: Repository.Repository,
  bytes: Uint8Array,
  options: Partial<StoreTarget.Options> = {}
) =>
  Effect.gen(function* () {
    const migration = yield* Migration.Migration
    const block = yield* MemoryPages.make({ idstr: "pc.ram", memory: bytes })
    const target = StoreTarget.make(repository, { vm: "web-1", ...options })
    return (yield* migration.save({ target, blocks: [block] })).value
  })

/** The bytes of a snapshot's block. */
export const bytesOf = (repository: Repository.Repository, snapshot: string) =>
  Effect.gen(function* () {
    const source = yield* StoreSource.open(repository, snapshot)
    const [block] = source.blocks
    const bytes = new Uint8Array(block?.usedLength ?? 0).fill(0xa5)
    if (block !== undefined) yield* block.reader.readInto(0, bytes)
    return bytes
  })

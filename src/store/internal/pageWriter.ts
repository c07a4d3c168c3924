import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { PackReference } from "../../format/store/PageMap.ts"
import * as PageDigest from "../../format/store/PageDigest.ts"
import type * as PackFile from "../../format/store/PackFile.ts"
import * as PageRuns from "../../ram/PageRuns.ts"
import type { Pages } from "../../transfer/PageSink.ts"
import type { ObjectError } from "../StoreError.ts"
import * as Repository from "../Repository.ts"
import { type BuiltPack, PackBuilder } from "./packBuilder.ts"
import { packKey, packName } from "./packReader.ts"
import type { PageTable } from "./pageTable.ts"
import { Window } from "./window.ts"

/** A pack ends at this length, including trailer and footer. */
const PACK_BYTES = 16 * 1024 * 1024

/** Failures of writing packs. @internal */
export type WriteError = Exclude<ObjectError, { readonly _tag: "ObjectMissingError" }>

/** The counts of a snapshot's pages. @internal */
export interface PageCounts {
  /** Stored pages. */
  newPages: number
  /** Pages known from a base, at the same position. */
  knownPages: number
  /** Stored pages that arrived again with other content. */
  supersededPages: number
  /** Bytes of the packs. */
  packBytes: number
}

/**
 * Stores pages: digest, comparison with the known page at the same position, window, frame, pack.
 *
 * ```text
 *   store ─▶ digest ─▶ known here? ─ yes ▶ present
 *                        └ no ▶ window of 32 MiB ─ full ▶ frames ▶ pack ─ 16 MiB ▶ put, one at a time
 * ```
 *
 * @internal
 */
export class PageWriter {
  readonly counts: PageCounts = { newPages: 0, knownPages: 0, supersededPages: 0, packBytes: 0 }
  /** The packs that may contain pages: those of the bases, then this writer's. */
  readonly packs: Array<PackReference>
  readonly #repository: Repository.Repository
  readonly #place: Pick<PackReference, "snapshot" | "writer">
  readonly #scope: Scope.Scope
  readonly #tables: ReadonlyArray<PageTable>
  readonly #keyBlocks: ReadonlyArray<Uint8Array>
  readonly #window: Window
  readonly #lock = Semaphore.makeUnsafe(1)
  #own: Array<PackReference> = []
  #builder: PackBuilder | undefined
  #ownIndex = -1
  #putting: Fiber.Fiber<void, WriteError> | undefined

  constructor(options: {
    readonly repository: Repository.Repository
    readonly snapshot: string
    readonly writer: string
    readonly tables: ReadonlyArray<PageTable>
    readonly packs: ReadonlyArray<PackReference>
    readonly scope: Scope.Scope
  }) {
    const { packs, repository, scope, snapshot, tables, writer } = options
    this.#repository = repository
    this.#place = { snapshot, writer }
    this.#scope = scope
    this.#tables = tables
    this.#keyBlocks = tables.map(({ shape }) => PageDigest.keyBlock(repository.keys.digestKey, shape.pageSize))
    this.#window = new Window(tables.map(({ shape }) => shape.pageSize))
    this.packs = [...packs]
  }

  /** The packs that this writer made. */
  get own(): ReadonlyArray<PackReference> {
    return this.#own
  }

  /** Stores the pages of a block. */
  store(block: number, pages: Pages): Effect.Effect<void, WriteError> {
    return this.#lock.withPermits(1)(Effect.suspend(() => this.#store(block, pages)))
  }

  /** Stores the rest, and waits until it is stored. No page follows. */
  get finish(): Effect.Effect<void, WriteError> {
    const endPack = Effect.suspend(() => this.#endPack())
    const drain = Effect.suspend(() => this.#drain())
    return this.#lock.withPermits(1)(drain.pipe(Effect.andThen(endPack), Effect.andThen(this.#settled())))
  }

  #store(block: number, { extents, normal, zero }: Pages): Effect.Effect<void, WriteError> {
    const table = this.#tables[block]
    if (table === undefined) return Effect.die(new Error(`a snapshot has no block ${block}`))
    PageRuns.forEach(zero, (first, count) => {
      table.present.clearRange(first, count)
      for (let page = first; page < first + count; page++) this.#window.remove(block, page)
    })
    const wanted: Array<readonly [page: number, bytes: Uint8Array]> = []
    const { pageSize } = table.shape
    for (const { bytes, offset } of extents) {
      const start = offset / pageSize
      const inside = PageRuns.intersect(normal, [start, bytes.length / pageSize])
      PageRuns.forEach(inside, (first, count) => {
        for (let page = first; page < first + count; page++) {
          wanted.push([page, bytes.subarray((page - start) * pageSize, (page + 1 - start) * pageSize)])
        }
      })
    }
    return this.#take(block, table, wanted, 0)
  }

  /** Takes pages until the window is full, drains it, and continues. */
  #take(
    block: number,
    table: PageTable,
    wanted: ReadonlyArray<readonly [page: number, bytes: Uint8Array]>,
    from: number
  ): Effect.Effect<void, WriteError> {
    for (let index = from; index < wanted.length; index++) {
      if (this.#window.isFull) {
        return Effect.andThen(
          this.#drain(),
          Effect.suspend(() => this.#take(block, table, wanted, index))
        )
      }
      const next = wanted[index]
      if (next !== undefined) this.#takePage(block, table, next[0], next[1])
    }
    return Effect.void
  }

  readonly #digest = new Uint8Array(PageDigest.BYTES)

  #takePage(block: number, table: PageTable, page: number, bytes: Uint8Array): void {
    PageDigest.into(this.#keyBlocks[block] ?? new Uint8Array(0), bytes, this.#digest, 0)
    table.present.setRange(page, 1)
    if (table.holds(page, this.#digest)) {
      this.#window.remove(block, page)
      if (table.packOf(page) < this.#firstOwn) this.counts.knownPages++
    } else {
      this.#window.put(block, page, bytes, this.#digest)
    }
  }

  get #firstOwn(): number {
    return this.packs.length - this.#own.length
  }

  /** Moves the window into frames of consecutive pages, and those into packs. */
  #drain(): Effect.Effect<void, WriteError> {
    const groups = this.#window.take(this.#repository.config.frameBytes)
    return Effect.forEach(groups, (group) => Effect.andThen(this.#addFrame(group), Effect.yieldNow), { discard: true })
  }

  #addFrame(group: ReturnType<Window["take"]>[number]): Effect.Effect<void, WriteError> {
    const table = this.#tables[group.block]
    if (table === undefined) return Effect.void
    const builder = this.#currentPack()
    group.pages.forEach((page, index) => {
      if (table.packOf(page) >= this.#firstOwn) this.counts.supersededPages++
      const digest = group.digests.subarray(index * PageDigest.BYTES, (index + 1) * PageDigest.BYTES)
      table.set(page, digest, this.#ownIndex, builder.pages + index)
    })
    builder.add(group.bytes, table.shape.pageSize, group.digests)
    this.counts.newPages += group.pages.length
    return builder.bytes >= PACK_BYTES ? this.#endPack() : Effect.void
  }

  #currentPack(): PackBuilder {
    if (this.#builder !== undefined) return this.#builder
    const place = { ...this.#place, number: this.#own.length }
    const name = packName(place)
    const keyOf = (salt: Uint8Array): PackFile.PackKey | undefined => packKey(this.#repository, name, salt)
    const isSealed = this.#repository.keys.repositoryKey !== undefined
    this.#builder = new PackBuilder(isSealed ? (keyOf as (salt: Uint8Array) => PackFile.PackKey) : undefined)
    this.#ownIndex = this.packs.length
    // The entry in the table is reserved now; its final form replaces it when the pack is complete.
    const open = { ...place, frames: 0, pages: 0, trailerPosition: 0, trailerBytes: 0, salt: none, footerDigest: none }
    this.packs.push(open)
    this.#own = [...this.#own, open]
    return this.#builder
  }

  #endPack(): Effect.Effect<void, WriteError> {
    const builder = this.#builder
    if (builder === undefined) return Effect.void
    this.#builder = undefined
    const built = builder.finish({ ...this.#place, number: this.#own.length - 1 })
    this.packs[this.#ownIndex] = built.reference
    this.#own = [...this.#own.slice(0, -1), built.reference]
    return Effect.andThen(this.#settled(), this.#put(built))
  }

  /** Starts to write a pack. One is written while the next is built: at most two are in memory. */
  #put({ parts, reference }: BuiltPack): Effect.Effect<void, WriteError> {
    this.counts.packBytes += parts.reduce((sum, { length }) => sum + length, 0)
    const put = Repository.putObject(this.#repository.objects, packName(reference), parts)
    return Effect.map(Effect.forkIn(put, this.#scope), (fiber) => void (this.#putting = fiber))
  }

  #settled(): Effect.Effect<void, WriteError> {
    return Effect.suspend(() => (this.#putting === undefined ? Effect.void : Fiber.join(this.#putting)))
  }
}

const none = new Uint8Array(0)

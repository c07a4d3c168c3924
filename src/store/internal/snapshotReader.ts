import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Finding from "../../format/Finding.ts"
import * as PackFile from "../../format/store/PackFile.ts"
import type { MapBlock, PageMap } from "../../format/store/PageMap.ts"
import * as PageDigest from "../../format/store/PageDigest.ts"
import * as PageBitmap from "../../ram/PageBitmap.ts"
import type { PageReader } from "../../ram/PageReader.ts"
import * as Repository from "../Repository.ts"
import type { StoreError } from "../StoreError.ts"
import { packAt } from "./baseTables.ts"
import { FrameCache } from "./frameCache.ts"
import { openFrame, packKey, packName, readTrailer } from "./packReader.ts"
import { pageStarts } from "./pageTable.ts"

/** A pack whose trailer has been read. */
interface OpenPack {
  readonly name: string
  readonly trailer: PackFile.Trailer
  /** The start of each frame, and the end of the last one. */
  readonly positions: Float64Array
  /** The number of each frame's first page in the pack. */
  readonly firstPages: Float64Array
  readonly key: PackFile.PackKey | undefined
}

/** A wanted page, and the destination of its bytes. */
interface Wanted {
  readonly pack: number
  readonly pageInPack: number
  readonly target: Uint8Array
}

/** Consecutive frames are fetched by one read of at most this many bytes. */
const READ_BYTES = 1024 * 1024

/** The last frame that begins at or before a page. */
const frameAt = (firstPages: Float64Array, page: number): number => packAt(firstPages, page)

/**
 * Reads the pages of a snapshot: from its map, through trailers and frames, each compared with its digest.
 *
 * @internal
 */
export class SnapshotReader {
  readonly #repository: Repository.Repository
  readonly #map: PageMap
  readonly #verify: boolean
  readonly #starts: Float64Array
  readonly #keyBlock: Uint8Array
  readonly #frames: FrameCache
  readonly #packs = new Map<number, Deferred.Deferred<OpenPack, StoreError>>()

  constructor(
    repository: Repository.Repository,
    map: PageMap,
    options: { readonly verify: boolean; readonly cacheBytes: number }
  ) {
    this.#repository = repository
    this.#map = map
    this.#verify = options.verify
    this.#starts = pageStarts(map.packs)
    this.#keyBlock = PageDigest.keyBlock(repository.keys.digestKey, map.pageSize)
    this.#frames = new FrameCache(options.cacheBytes)
  }

  /** The pages of a block. */
  reader({ runs, usedLength }: MapBlock): PageReader<StoreError> & { readonly present: PageBitmap.PageBitmap } {
    const { pageSize } = this.#map
    const present = PageBitmap.make(usedLength / pageSize)
    const firsts = new Float64Array(runs.lengths.length + 1)
    runs.lengths.forEach((length, run) => {
      const first = firsts[run] ?? 0
      firsts[run + 1] = first + length
      if ((runs.pages[run] ?? -1) >= 0) present.setRange(first, length)
    })
    const numberOf = (page: number): number => {
      const run = packAt(firsts, page)
      const first = runs.pages[run] ?? -1
      return first < 0 ? -1 : first + page - (firsts[run] ?? 0)
    }
    return {
      present,
      view: undefined,
      readInto: (offset, target) => Effect.suspend(() => this.#readInto(numberOf, offset, target))
    }
  }

  #readInto(numberOf: (page: number) => number, offset: number, target: Uint8Array): Effect.Effect<void, StoreError> {
    const { pageSize } = this.#map
    const end = offset + target.length
    const isWhole = offset % pageSize === 0 && end % pageSize === 0
    // Digests cover whole pages: to read a part of one, all of it must be read.
    const from = Math.floor(offset / pageSize) * pageSize
    const whole = isWhole ? target : new Uint8Array(Math.ceil(end / pageSize) * pageSize - from)
    const wanted: Array<Wanted> = []
    for (let at = 0; at < whole.length; at += pageSize) {
      const place = whole.subarray(at, at + pageSize)
      const number = numberOf((from + at) / pageSize)
      if (number < 0) {
        place.fill(0)
        continue
      }
      const pack = packAt(this.#starts, number)
      wanted.push({ pack, pageInPack: number - (this.#starts[pack] ?? 0), target: place })
    }
    const copy = () => {
      if (!isWhole) target.set(whole.subarray(offset - from, end - from))
    }
    return Effect.andThen(this.#fetch(wanted), Effect.sync(copy))
  }

  /** Fetches pages pack by pack. */
  #fetch(wanted: ReadonlyArray<Wanted>): Effect.Effect<void, StoreError> {
    const byPack = Map.groupBy(wanted, ({ pack }) => pack)
    return Effect.forEach(
      byPack,
      ([pack, pages]) => Effect.flatMap(this.#open(pack), (open) => this.#fetchFrom(pack, open, pages)),
      { discard: true, concurrency: 4 }
    )
  }

  /** The trailer of a pack, read once for all callers. */
  #open(index: number): Effect.Effect<OpenPack, StoreError> {
    return Effect.suspend(() => {
      const known = this.#packs.get(index)
      if (known !== undefined) return Deferred.await(known)
      const opening = Deferred.makeUnsafe<OpenPack, StoreError>()
      this.#packs.set(index, opening)
      // Other callers wait for the same result: an interruption of the first one must not affect them.
      return Effect.uninterruptible(this.#readPack(index)).pipe(
        Effect.onExit((exit) => {
          // A store that did not answer may answer the next time.
          if (exit._tag === "Failure") this.#packs.delete(index)
          return Deferred.done(opening, exit)
        })
      )
    })
  }

  #readPack(index: number): Effect.Effect<OpenPack, StoreError> {
    const pack = this.#map.packs[index]
    if (pack === undefined) return Effect.die(new Error(`a map has no pack ${index}`))
    return Effect.map(readTrailer(this.#repository, pack), (trailer) => {
      const firstPages = new Float64Array(trailer.frames.length + 1)
      trailer.frames.forEach(({ pages }, at) => void (firstPages[at + 1] = (firstPages[at] ?? 0) + pages))
      const name = packName(pack)
      const key = packKey(this.#repository, name, pack.salt)
      return { name, trailer, positions: PackFile.framePositions(trailer), firstPages, key }
    })
  }

  #fetchFrom(pack: number, open: OpenPack, wanted: ReadonlyArray<Wanted>): Effect.Effect<void, StoreError> {
    const byFrame = Map.groupBy(wanted, ({ pageInPack }) => frameAt(open.firstPages, pageInPack))
    const missing: Array<number> = []
    for (const [frame, pages] of byFrame) {
      const cached = this.#frames.get(`${pack}/${frame}`)
      if (cached === undefined) missing.push(frame)
      else this.#copy(open, frame, cached, pages)
    }
    return Effect.forEach(
      neighbours(missing, open.positions),
      ([first, last]) => this.#readFrames(pack, open, first, last, byFrame),
      { discard: true, concurrency: 2 }
    )
  }

  #readFrames(
    pack: number,
    open: OpenPack,
    first: number,
    last: number,
    byFrame: ReadonlyMap<number, ReadonlyArray<Wanted>>
  ): Effect.Effect<void, StoreError> {
    const offset = open.positions[first] ?? 0
    const length = (open.positions[last + 1] ?? offset) - offset
    return Effect.flatMap(this.#repository.objects.get(open.name, { offset, length }), (bytes) => {
      const taken = this.#take(pack, open, { first, last, offset, bytes }, byFrame)
      return Repository.decoded(this.#repository.objects, open.name, taken)
    })
  }

  /** Decodes frames that were read together, compares their pages, and passes them on. */
  #take(
    pack: number,
    open: OpenPack,
    read: { readonly first: number; readonly last: number; readonly offset: number; readonly bytes: Uint8Array },
    byFrame: ReadonlyMap<number, ReadonlyArray<Wanted>>
  ): Result.Result<void, Finding.Finding> {
    for (let number = read.first; number <= read.last; number++) {
      const frame = open.trailer.frames[number]
      const position = open.positions[number] ?? 0
      if (frame === undefined) continue
      const start = position - read.offset
      const stored = read.bytes.subarray(start, start + frame.storedBytes)
      const pages = openFrame(frame, number, stored, position, open.key)
      if (Result.isFailure(pages)) return Result.fail(pages.failure)
      const wrong = this.#verify ? this.#firstWrong(open, number, pages.success, position) : undefined
      if (wrong !== undefined) return Result.fail(wrong)
      this.#frames.put(`${pack}/${number}`, pages.success)
      this.#copy(open, number, pages.success, byFrame.get(number) ?? [])
    }
    return Result.succeed(undefined)
  }

  /** The finding of the first page of a frame that does not match its digest. */
  #firstWrong(open: OpenPack, number: number, pages: Uint8Array, position: number): Finding.Finding | undefined {
    const { pageSize } = this.#map
    const digests = PageDigest.ofPages(this.#keyBlock, pages, pageSize)
    const first = (open.firstPages[number] ?? 0) * PageDigest.BYTES
    const expected = open.trailer.digests.subarray(first, first + digests.length)
    return Buffer.compare(digests, expected) === 0
      ? undefined
      : Finding.make({
          code: "store-pack-corrupt",
          offset: position,
          expected: "pages that match their digests",
          found: `another page in frame ${number}`
        })
  }

  #copy(open: OpenPack, frame: number, pages: Uint8Array, wanted: ReadonlyArray<Wanted>): void {
    const { pageSize } = this.#map
    for (const { pageInPack, target } of wanted) {
      const at = (pageInPack - (open.firstPages[frame] ?? 0)) * pageSize
      target.set(pages.subarray(at, at + pageSize))
    }
  }
}

/** Frames in runs without gaps, each of which is one read. */
const neighbours = (
  frames: ReadonlyArray<number>,
  positions: Float64Array
): ReadonlyArray<readonly [first: number, last: number]> => {
  const runs: Array<[number, number]> = []
  for (const frame of frames.toSorted((a, b) => a - b)) {
    const run = runs.at(-1)
    const fits = run !== undefined && (positions[frame + 1] ?? 0) - (positions[run[0]] ?? 0) <= READ_BYTES
    if (run !== undefined && fits && frame === run[1] + 1) run[1] = frame
    else runs.push([frame, frame])
  }
  return runs
}

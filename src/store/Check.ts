/**
 * Reads a store and reports all problems.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as PackFile from "../format/store/PackFile.ts"
import type { PackReference } from "../format/store/PageMap.ts"
import { readTrailer, openFrame, packKey, packName } from "./internal/packReader.ts"
import * as PageDigest from "../format/store/PageDigest.ts"
import * as Repository from "./Repository.ts"
import type { StoreError } from "./StoreError.ts"
import * as Finding from "../format/Finding.ts"
import * as Result from "effect/Result"

/**
 * Options of a check.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Reads only records and maps, and compares the lengths of packs with those in the maps. Default `false`. */
  readonly structure?: boolean | undefined
  /** The share of the packs that is read, from 0 to 1; `part` selects them. Default 1: all. */
  readonly share?: number | undefined
  /**
   * Selects the packs to read if `share` is below 1: with another number every day, all of them are read in time.
   * Default 0.
   */
  readonly part?: number | undefined
}

/**
 * A problem: the object, the error, and the snapshots that it makes unreadable.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Damage {
  readonly object: string
  readonly error: StoreError
  readonly snapshots: ReadonlyArray<string>
}

/**
 * The result of a check.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly snapshots: number
  readonly packs: number
  readonly bytesRead: number
  readonly damages: ReadonlyArray<Damage>
}

/** A pack and the snapshots that need it. */
interface Needed {
  readonly pack: PackReference
  readonly snapshots: Array<string>
}

/** Reads all frames of a pack; returns the number of bytes, or the first error. */
const readPack = Effect.fnUntraced(function* (
  repository: Repository.Repository,
  pack: PackReference
): Effect.fn.Return<number, StoreError> {
  const name = packName(pack)
  const trailer = yield* readTrailer(repository, pack)
  const bytes = yield* repository.objects.get(name, { offset: 0, length: pack.trailerPosition })
  const key = packKey(repository, name, pack.salt)
  yield* Repository.decoded(repository.objects, name, wholePack(repository, pack, trailer, bytes, key))
  return pack.trailerPosition + pack.trailerBytes + PackFile.FOOTER_BYTES
})

const wrong = (offset: number, expected: string, found: string) =>
  Result.fail(Finding.make({ code: "store-pack-corrupt", offset, expected, found }))

const wholePack = (
  repository: Repository.Repository,
  pack: PackReference,
  trailer: PackFile.Trailer,
  bytes: Uint8Array,
  key: PackFile.PackKey | undefined
): Result.Result<void, Finding.Finding> => {
  const salt = PackFile.decodeHeader(bytes)
  if (Result.isFailure(salt)) return Result.fail(salt.failure)
  if (Buffer.compare(salt.success, pack.salt) !== 0) return wrong(16, "the salt in the map", "another one")
  const positions = PackFile.framePositions(trailer)
  let page = 0
  for (const [number, frame] of trailer.frames.entries()) {
    const position = positions[number] ?? 0
    const stored = bytes.subarray(position, position + frame.storedBytes)
    const pages = openFrame(frame, number, stored, position, key)
    if (Result.isFailure(pages)) return Result.fail(pages.failure)
    const block = PageDigest.keyBlock(repository.keys.digestKey, frame.pageSize)
    const digests = PageDigest.ofPages(block, pages.success, frame.pageSize)
    const at = page * PageDigest.BYTES
    if (Buffer.compare(digests, trailer.digests.subarray(at, at + digests.length)) !== 0) {
      return wrong(position, "pages that match their digests", `another page in frame ${number}`)
    }
    page += frame.pages
  }
  return Result.succeed(undefined)
}

const isChosen = (index: number, { part = 0, share = 1 }: Options): boolean => {
  const parts = Math.max(1, Math.round(1 / share))
  return index % parts === part % parts
}

/**
 * Reads the maps of all snapshots that are committed or forgotten, and the packs that they need. Damage is reported,
 * not a failure.
 *
 * @stability unstable
 * @category checking
 * @since 0.1.0
 */
export const check = Effect.fnUntraced(function* (repository: Repository.Repository, options: Options = {}) {
  const damages: Array<Damage> = []
  const needed = new Map<string, Needed>()
  const live = (yield* Repository.chains(repository)).flatMap(({ snapshot, state }) =>
    state._tag === "Committed" || state._tag === "Forgotten" ? [{ snapshot, map: state.map }] : []
  )
  for (const { map, snapshot } of live) {
    const read = yield* Effect.result(Repository.readMap(repository, map.map, map.mapSha256))
    if (Result.isFailure(read)) {
      damages.push({ object: map.map, error: read.failure, snapshots: [snapshot] })
      continue
    }
    for (const pack of read.success.packs) {
      const name = packName(pack)
      const known = needed.get(name) ?? { pack, snapshots: [] }
      known.snapshots.push(snapshot)
      needed.set(name, known)
    }
  }
  const lengths = new Map(
    (yield* Stream.runCollect(repository.objects.list("pack/"))).map(({ bytes, name }) => [name, bytes])
  )
  let bytesRead = 0
  for (const [index, [name, { pack, snapshots }]] of [...needed].entries()) {
    const isRead = options.structure !== true && isChosen(index, options)
    const length = pack.trailerPosition + pack.trailerBytes + PackFile.FOOTER_BYTES
    // A wrong length, and a missing pack, are detected in its trailer.
    if (!isRead && lengths.get(name) === length) continue
    const read = yield* Effect.result(isRead ? readPack(repository, pack) : Effect.as(readTrailer(repository, pack), 0))
    if (Result.isFailure(read)) damages.push({ object: name, error: read.failure, snapshots })
    else bytesRead += read.success
  }
  return { snapshots: live.length, packs: needed.size, bytesRead, damages } satisfies Report
})

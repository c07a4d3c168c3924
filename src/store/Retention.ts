/**
 * The retention of snapshots: they are forgotten, restored, and after a while removed with everything that no other one
 * needs.
 *
 * ```text
 *   prune   1  records are listed, ended leases get ABORT, forgotten snapshots PRUNED
 *           2  objects are listed, then records again
 *           3  what no root refers to is deleted: roots are the newest maps of both listings, and bases in use
 * ```
 *
 * Any number of prunes may run at once, concurrently with writers and readers, and stop anywhere. Neither a lock nor a
 * clock protects data in use: only objects of dead chains are deleted, and a dead chain stays dead.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as ObjectName from "../format/store/ObjectName.ts"
import * as StoreId from "../format/store/StoreId.ts"
import { ChainWriter, type RecordFields } from "./internal/chainWriter.ts"
import { packName } from "./internal/packReader.ts"
import type { ObjectInfo } from "./ObjectStore.ts"
import * as Repository from "./Repository.ts"
import { SnapshotFencedError, SnapshotNotFoundError } from "./SnapshotError.ts"
import type { StoreError } from "./StoreError.ts"
import * as StoreSource from "./StoreSource.ts"

const writerFor = (repository: Repository.Repository, { records, snapshot }: Repository.Chain): ChainWriter => {
  const last = records.at(-1)
  return new ChainWriter(repository, {
    vm: last?.vm ?? "",
    snapshot,
    writer: StoreId.random(),
    ...(last === undefined ? {} : { last })
  })
}

/**
 * Forgets a snapshot: it can no longer be read, and a later prune removes it.
 *
 * **Failure effect**: the snapshot is unchanged.
 *
 * @stability unstable
 * @category retention
 * @since 0.1.0
 */
export const forget = Effect.fnUntraced(function* (repository: Repository.Repository, snapshot: string) {
  const chain = yield* StoreSource.find(repository, snapshot)
  yield* writerFor(repository, chain).append({ state: "FORGET" })
  return chain.snapshot
})

/**
 * Restores a snapshot that was forgotten and not yet pruned.
 *
 * **Failure effect**: the snapshot is still forgotten.
 *
 * @stability unstable
 * @category retention
 * @since 0.1.0
 */
export const unforget = Effect.fnUntraced(function* (repository: Repository.Repository, snapshot: string) {
  const store = repository.objects.url
  const matching = (yield* Repository.chains(repository)).filter((chain) => chain.snapshot.startsWith(snapshot))
  const [chain] = matching
  if (chain === undefined || snapshot === "" || matching.length > 1) {
    const problem = matching.length > 1 ? "ambiguous" : "unknown"
    return yield* new SnapshotNotFoundError({ store, snapshot, problem })
  }
  const { state } = chain
  if (state._tag === "Committed") return chain.snapshot
  if (state._tag !== "Forgotten") {
    return yield* new SnapshotNotFoundError({ store, snapshot, problem: state._tag === "Open" ? "open" : "dead" })
  }
  const { commit, map } = state
  const { image, labels, memoryDigest, parent } = commit
  const writer = writerFor(repository, chain)
  yield* writer.append({ state: "COMMIT", ...map, image, labels, memoryDigest, parent })
  yield* writer.assertOpened(state.opened)
  return chain.snapshot
})

/**
 * Options of a prune.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface PruneOptions {
  /** Seconds for which a forgotten snapshot is kept. Default: a day. */
  readonly graceSeconds?: number | undefined
  /** Reports what would be removed, and changes nothing. Default `false`. */
  readonly dryRun?: boolean | undefined
}

/**
 * The objects that a prune removed, or would remove.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Pruned {
  /** Snapshots whose writers had disappeared. */
  readonly aborted: ReadonlyArray<string>
  /** Snapshots that had been forgotten long enough. */
  readonly pruned: ReadonlyArray<string>
  readonly objects: number
  readonly bytes: number
}

const DAY_SECONDS = 24 * 3600

/** Records of a dead chain, except the last one, are removed after this time. */
const RECORD_SECONDS = 30 * DAY_SECONDS

/** The action of pass 1 on a chain: none, or a record that ends it. */
type Ending =
  | { readonly _tag: "Alive" }
  | { readonly _tag: "Dead" }
  | { readonly _tag: "Abort"; readonly ends: "snapshot" | "repack" }
  | { readonly _tag: "Prune" }

const endingOf = ({ modified, state }: Repository.Chain, now: number, graceSeconds: number): Ending => {
  const isPast = (seconds: number) => now - modified >= seconds * 1000
  switch (state._tag) {
    case "Dead":
      return { _tag: "Dead" }
    case "Open":
      return isPast(state.lease.leaseSeconds) ? { _tag: "Abort", ends: "snapshot" } : { _tag: "Alive" }
    case "Committed":
      return state.repack !== undefined && isPast(state.repack.leaseSeconds)
        ? { _tag: "Abort", ends: "repack" }
        : { _tag: "Alive" }
    case "Forgotten":
      return isPast(graceSeconds) ? { _tag: "Prune" } : { _tag: "Alive" }
  }
}

/** Appends a record; `false` if another record was first. */
const tryAppend = (repository: Repository.Repository, chain: Repository.Chain, fields: RecordFields) =>
  writerFor(repository, chain)
    .append(fields)
    .pipe(
      Effect.as(true),
      Effect.catchTag("SnapshotFencedError", () => Effect.succeed(false))
    )

interface FirstPass {
  readonly chains: ReadonlyArray<Repository.Chain>
  readonly dead: ReadonlySet<string>
  readonly aborted: ReadonlyArray<string>
  readonly pruned: ReadonlyArray<string>
}

const firstPass = Effect.fnUntraced(function* (
  repository: Repository.Repository,
  { dryRun = false, graceSeconds = DAY_SECONDS }: PruneOptions
): Effect.fn.Return<FirstPass, StoreError> {
  const now = yield* repository.objects.now
  const chains = yield* Repository.chains(repository)
  const [dead, aborted, pruned] = [new Set<string>(), new Array<string>(), new Array<string>()]
  for (const chain of chains) {
    const ending = endingOf(chain, now, graceSeconds)
    if (ending._tag === "Alive") continue
    if (ending._tag === "Dead") {
      dead.add(chain.snapshot)
      continue
    }
    const state = ending._tag === "Abort" ? "ABORT" : "PRUNED"
    const isDone = dryRun || (yield* tryAppend(repository, chain, { state }))
    if (!isDone || (ending._tag === "Abort" && ending.ends === "repack")) continue
    dead.add(chain.snapshot)
    ;(state === "ABORT" ? aborted : pruned).push(chain.snapshot)
  }
  return { chains, dead, aborted, pruned }
})

const newestMap = ({ state }: Repository.Chain): ReadonlyArray<string> =>
  state._tag === "Committed" || state._tag === "Forgotten" ? [state.map.map] : []

const basesInUse = ({ state }: Repository.Chain): ReadonlyArray<string> => {
  if (state._tag === "Open") return state.lease.bases
  return state._tag === "Committed" && state.repack !== undefined ? state.repack.bases : []
}

/** The names of the objects that a map needs: itself and its packs. */
const neededBy = (repository: Repository.Repository, map: string): Effect.Effect<ReadonlyArray<string>, StoreError> =>
  Effect.map(Repository.readMap(repository, map), ({ packs }) => [map, ...packs.map(packName)])

/**
 * A missing base protects nothing if its chain is still open with it: the writer will notice. Otherwise this run's
 * information is too old, and it stops before it deletes anything.
 */
const neededByBase = Effect.fnUntraced(function* (
  repository: Repository.Repository,
  chain: Repository.Chain,
  map: string
): Effect.fn.Return<ReadonlyArray<string>, StoreError | SnapshotFencedError> {
  const needed = yield* neededBy(repository, map).pipe(
    Effect.catchTag("ObjectMissingError", () => Effect.succeed(undefined))
  )
  if (needed !== undefined) return needed
  const again = yield* Repository.chain(repository, chain)
  if (again !== undefined && basesInUse(again).includes(map)) return []
  return yield* new SnapshotFencedError({ store: repository.objects.url, snapshot: chain.snapshot })
})

/** The data objects in a listing. */
const dataObjects = Effect.fnUntraced(function* ({ objects }: Repository.Repository) {
  const found: Array<ObjectInfo & { readonly parsed: Extract<ObjectName.ObjectName, { kind: ObjectName.DataKind }> }> =
    []
  for (const prefix of ["map/", "pack/", "order/"]) {
    for (const info of yield* Stream.runCollect(objects.list(prefix))) {
      const parsed = ObjectName.parse(info.name)
      if (parsed !== undefined && "writer" in parsed) found.push({ ...info, parsed })
    }
  }
  return found
})

type DataObject = Effect.Success<ReturnType<typeof dataObjects>>[number]

interface Passes {
  readonly first: FirstPass
  readonly second: ReadonlyMap<string, Repository.Chain>
}

/** `true` if an object without a reference from a root may be deleted. */
const isGarbage = ({ parsed }: DataObject, { first, second }: Passes): boolean => {
  const { kind, snapshot, writer } = parsed
  if (first.dead.has(snapshot)) return true
  const chain = second.get(snapshot)
  if (chain === undefined) return !first.chains.some((known) => known.snapshot === snapshot)
  const { state } = chain
  // Page orders belong to the snapshot for as long as it is read.
  if (state._tag !== "Committed" || kind === "order") return false
  return state.repack?.writer !== writer
}

const removeOldRecords = Effect.fnUntraced(function* (
  repository: Repository.Repository,
  chains: Iterable<Repository.Chain>,
  left: ReadonlySet<string>
) {
  const now = yield* repository.objects.now
  for (const { modified, records, snapshot, state, vmId } of chains) {
    if (state._tag !== "Dead" || left.has(snapshot) || now - modified <= RECORD_SECONDS * 1000) continue
    const old = records.slice(0, -1).map(({ seq }) => seq)
    const nameOf = (generation: number) => ObjectName.format({ kind: "record", vm: vmId, snapshot, generation })
    yield* repository.objects.remove(old.map(nameOf))
  }
})

/**
 * Removes what no snapshot needs. Fails before anything is deleted if a record or a map cannot be read.
 *
 * **Failure effect**: some of the objects are removed; no object that a snapshot needs is. The next prune continues.
 *
 * @stability unstable
 * @category retention
 * @since 0.1.0
 */
export const prune = Effect.fnUntraced(function* (repository: Repository.Repository, options: PruneOptions = {}) {
  const first = yield* firstPass(repository, options)
  const objects = yield* dataObjects(repository)
  const second = new Map((yield* Repository.chains(repository)).map((chain) => [chain.snapshot, chain]))
  const roots = new Set<string>()
  for (const chain of [...first.chains, ...second.values()]) {
    if (first.dead.has(chain.snapshot)) continue
    for (const map of newestMap(chain)) roots.add(map)
  }
  const needed = new Set<string>()
  for (const map of roots) for (const name of yield* neededBy(repository, map)) needed.add(name)
  for (const chain of second.values()) {
    for (const map of basesInUse(chain)) {
      if (roots.has(map)) continue
      for (const name of yield* neededByBase(repository, chain, map)) needed.add(name)
    }
  }
  const garbage = objects.filter((object) => !needed.has(object.name) && isGarbage(object, { first, second }))
  if (options.dryRun !== true) {
    yield* repository.objects.remove(garbage.map(({ name }) => name))
    const kept = objects.filter((object) => !garbage.includes(object))
    yield* removeOldRecords(repository, second.values(), new Set(kept.map(({ parsed }) => parsed.snapshot)))
  }
  const { aborted, pruned } = first
  const bytes = garbage.reduce((sum, object) => sum + object.bytes, 0)
  return { aborted, pruned, objects: garbage.length, bytes } satisfies Pruned
})

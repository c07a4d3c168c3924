/**
 * A snapshot of a store as the source of a restore, a send or a resume: every page can be read at any time.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as MachinePart from "../format/store/MachinePart.ts"
import type { PageMap } from "../format/store/PageMap.ts"
import * as ByteSource from "../snapshot/ByteSource.ts"
import type { MachineState } from "../snapshot/MachineState.ts"
import type { SnapshotSource } from "../snapshot/SnapshotSource.ts"
import { SnapshotReader } from "./internal/snapshotReader.ts"
import * as Repository from "./Repository.ts"
import { SnapshotNotFoundError } from "./SnapshotError.ts"
import type { StoreError } from "./StoreError.ts"

/**
 * Options of reading a snapshot.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Compares every page with its digest. Default `true`. */
  readonly verify?: boolean | undefined
  /** Bytes of decoded frames that are kept. Default 64 MiB. */
  readonly cacheBytes?: number | undefined
}

const CACHE_BYTES = 64 * 1024 * 1024

const LATEST = "@latest"

const notFound = (
  { objects }: Repository.Repository,
  snapshot: string,
  problem: SnapshotNotFoundError["problem"]
): SnapshotNotFoundError => new SnapshotNotFoundError({ store: objects.url, snapshot, problem })

/**
 * The chain of a readable snapshot: by its id, by a unique start of its id, or `NAME@latest`.
 *
 * @stability unstable
 * @category finding
 * @since 0.1.0
 */
export const find = Effect.fnUntraced(function* (repository: Repository.Repository, snapshot: string) {
  const isLatest = snapshot.endsWith(LATEST)
  const all = yield* Repository.chains(repository, isLatest ? snapshot.slice(0, -LATEST.length) : undefined)
  const matching = isLatest
    ? all.filter(({ state }) => state._tag === "Committed").slice(-1)
    : all.filter((chain) => chain.snapshot.startsWith(snapshot))
  const [chain] = matching
  if (chain === undefined || snapshot === "") return yield* notFound(repository, snapshot, "unknown")
  if (matching.length > 1) return yield* notFound(repository, snapshot, "ambiguous")
  const { state } = chain
  if (state._tag === "Committed") return { ...chain, state }
  const problem = state._tag === "Open" ? "open" : state._tag === "Forgotten" ? "forgotten" : "dead"
  return yield* notFound(repository, snapshot, problem)
})

const machineStateOf = (part: MachinePart.MachinePart): MachineState => ({
  configuration: part.configuration,
  prelude: part.prelude,
  early: part.early,
  switchoverStart: part.switchoverStart,
  footers: part.footers,
  ramSectionId: part.ramSectionId,
  deviceState: ByteSource.fromBytes(part.deviceState),
  description: ByteSource.fromBytes(part.description),
  origin: undefined
})

const sourceOf = (
  repository: Repository.Repository,
  map: PageMap,
  part: MachinePart.MachinePart,
  { cacheBytes = CACHE_BYTES, verify = true }: Options
): SnapshotSource<StoreError> => {
  const reader = new SnapshotReader(repository, map, { verify, cacheBytes })
  const facts = new Map(part.blocks.map((block) => [block.idstr, block]))
  return {
    name: `${repository.objects.url}#${map.snapshot}`,
    blocks: map.blocks.map((block) => {
      const { address, ignored } = facts.get(block.idstr) ?? {}
      const { idstr, usedLength } = block
      return { idstr, usedLength, pageSize: map.pageSize, reader: reader.reader(block), address, ignored }
    }),
    machine: part.configuration?.machine,
    machineState: machineStateOf(part),
    notes: part.notes,
    readUnit: Math.max(repository.config.frameBytes, map.pageSize)
  }
}

/**
 * Opens a snapshot. Fails with `SnapshotNotFoundError`, or with the error of the first damaged object.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const open = Effect.fnUntraced(function* (
  repository: Repository.Repository,
  snapshot: string,
  options: Options = {}
) {
  const { state } = yield* find(repository, snapshot)
  const { map: name, mapSha256 } = state.map
  const map = yield* Repository.readMap(repository, name, mapSha256)
  const part = yield* Repository.decoded(repository.objects, name, MachinePart.decode(map.device))
  return sourceOf(repository, map, part, options)
})

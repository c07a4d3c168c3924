/**
 * A snapshot store as the target of a save, a capture or a conversion: one new snapshot.
 *
 * ```text
 *   begin    OPEN, the bases are read        finish   window, last pack, map
 *   ram      pages, packs, RENEW             commit   COMMIT, OPEN is read back
 *
 *   the scope ends without COMMIT: ABORT, and what this writer made is removed
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Bytes from "effect/Bytes"
import * as MachinePart from "../format/store/MachinePart.ts"
import type { PackReference, PageMap } from "../format/store/PageMap.ts"
import * as StoreId from "../format/store/StoreId.ts"
import * as Uuid from "../format/Uuid.ts"
import * as RamBlock from "../ram/RamBlock.ts"
import * as ByteSource from "../snapshot/ByteSource.ts"
import * as SnapshotSource from "../snapshot/SnapshotSource.ts"
import type {
  MachineHeader,
  Prepared,
  RamEnd,
  RamWriter,
  SnapshotTarget,
  StateLayout,
  StateRange,
  StateWriter,
  Transfer
} from "../snapshot/SnapshotTarget.ts"
import type { PageSink } from "../transfer/PageSink.ts"
import * as TransferCounters from "../transfer/TransferCounters.ts"
import { fillFromBase } from "./internal/baseTables.ts"
import { ChainWriter, LEASE_SECONDS } from "./internal/chainWriter.ts"
import { memoryDigest, PageTable } from "./internal/pageTable.ts"
import { PageWriter } from "./internal/pageWriter.ts"
import * as Repository from "./Repository.ts"
import type { SnapshotFencedError, SnapshotNotFoundError } from "./SnapshotError.ts"
import type { StoreError } from "./StoreError.ts"
import * as StoreSource from "./StoreSource.ts"

/**
 * Failures of writing a snapshot.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export type WriteError = StoreError | SnapshotFencedError | SnapshotNotFoundError

/**
 * A snapshot that was committed.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Committed {
  readonly snapshot: string
  /** The snapshot that its pages were compared with; `undefined`: none. */
  readonly parent: string | undefined
  /** Bytes of the packs and of the map that were written for it. */
  readonly bytesStored: number
  /** Pages that were stored. */
  readonly pagesNew: number
  /** Pages that the parent has at the same position. */
  readonly pagesKnown: number
  /** Stored pages that arrived again with other content; their first content is not part of the snapshot. */
  readonly pagesSuperseded: number
}

/**
 * Options of a new snapshot.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The name of the machine, 1 to 255 characters. */
  readonly vm: string
  /** The snapshot that pages are compared with: the newest of this machine (the default), one by its id, or none. */
  readonly base?: "latest" | "none" | { readonly snapshot: string } | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** The version of the QEMU that the machine ran in. Default: unknown. */
  readonly qemu?: string | undefined
}

type Base = Pick<Repository.Chain, "snapshot" | "vmId"> & { readonly map: string; readonly mapSha256: string }

/** A chain as a base; `undefined`: it is not committed. */
const baseOf = ({ snapshot, state, vmId }: Repository.Chain): Base | undefined =>
  state._tag === "Committed" ? { snapshot, vmId, map: state.map.map, mapSha256: state.map.mapSha256 } : undefined

const findBase = Effect.fnUntraced(function* (
  repository: Repository.Repository,
  { base = "latest", vm }: Options
): Effect.fn.Return<Base | undefined, WriteError> {
  if (base === "none") return undefined
  if (base !== "latest") return baseOf(yield* StoreSource.find(repository, base.snapshot))
  return (yield* Repository.chains(repository, vm)).flatMap((chain) => baseOf(chain) ?? []).at(-1)
})

/** The check of a base: it holds if its chain is committed and its newest map is the one that OPEN names. */
const holds = (repository: Repository.Repository, base: Base): Effect.Effect<boolean, WriteError> =>
  Effect.map(Repository.chain(repository, base), (chain) => chain !== undefined && baseOf(chain)?.map === base.map)

const lease = (bases: ReadonlyArray<string>) => ({ bases, leaseSeconds: LEASE_SECONDS })

/** A base that disappeared between its choice and OPEN is dropped: the snapshot is complete without it. */
const checkBase = Effect.fnUntraced(function* (
  repository: Repository.Repository,
  chain: ChainWriter,
  base: Base | undefined
): Effect.fn.Return<Base | undefined, WriteError> {
  if (base === undefined || (yield* holds(repository, base))) return base
  yield* chain.append({ state: "RENEW", ...lease([]) })
  return undefined
})

const removeOwn = Effect.fnUntraced(function* (repository: Repository.Repository, chain: ChainWriter) {
  const { objects } = repository
  for (const kind of ["map", "pack"] as const) {
    const mine = yield* Stream.runCollect(objects.list(`${kind}/${chain.snapshot}/${chain.writer}-`))
    yield* objects.remove(mine.map(({ name }) => name))
  }
})

/** A writer may remove its objects only after its own ABORT: until then another may have taken over. */
const abort = (repository: Repository.Repository, chain: ChainWriter) =>
  chain.append({ state: "ABORT" }).pipe(
    Effect.andThen(removeOwn(repository, chain)),
    Effect.catch((error) => Effect.logDebug(`the snapshot ${chain.snapshot} was left open`, error))
  )

/**
 * Makes a target: a new snapshot of a machine.
 *
 * **Failure effect**: there is no new snapshot, and the others are unchanged. A prune removes the objects of a killed
 * process after its lease has ended.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = (repository: Repository.Repository, options: Options): SnapshotTarget<Committed, WriteError> => ({
  name: repository.objects.url,
  begin: (machine, transfer) => begin(repository, options, machine, transfer)
})

const begin = Effect.fnUntraced(function* (
  repository: Repository.Repository,
  options: Options,
  machine: MachineHeader,
  transfer: Transfer
): Effect.fn.Return<RamWriter<Committed, WriteError>, WriteError, Scope.Scope> {
  const chosen = yield* findBase(repository, options)
  const snapshot = StoreId.make(yield* repository.objects.now)
  const chain = new ChainWriter(repository, { vm: options.vm, snapshot, writer: StoreId.random() })
  const state = { committed: false }
  // Once OPEN may exist, an uncommitted snapshot is always aborted.
  yield* Effect.addFinalizer(() => (state.committed ? Effect.void : abort(repository, chain)))
  const opened = yield* chain.append({ state: "OPEN", ...lease(chosen === undefined ? [] : [chosen.map]) })
  yield* chain.assertAlone
  const base = yield* checkBase(repository, chain, chosen)
  const tables = SnapshotSource.blocksWithPages(machine).map((block) => new PageTable(block))
  const map = base === undefined ? undefined : yield* Repository.readMap(repository, base.map, base.mapSha256)
  const packs = map === undefined ? [] : yield* fillFromBase(repository, map, tables, [])
  const { snapshot: id, writer } = chain
  const scope = yield* Scope.Scope
  const pages = new PageWriter({ repository, snapshot: id, writer, tables, packs, scope })
  const renewal = chain.append({ state: "RENEW", ...lease(base === undefined ? [] : [base.map]) })
  return ramWriter({ repository, options, machine, transfer, chain, opened, base, tables, pages, renewal, state })
})

interface Session {
  readonly repository: Repository.Repository
  readonly options: Options
  readonly machine: MachineHeader
  readonly transfer: Transfer
  readonly chain: ChainWriter
  readonly opened: Effect.Success<ReturnType<ChainWriter["append"]>>
  readonly base: Base | undefined
  readonly tables: ReadonlyArray<PageTable>
  readonly pages: PageWriter
  readonly renewal: ReturnType<ChainWriter["append"]>
  readonly state: { committed: boolean }
}

const sinkOf = ({ pages, transfer }: Session, { shape }: PageTable, block: number): PageSink<WriteError> => ({
  ...shape,
  view: undefined,
  coalescePages: 0,
  takesUnaligned: true,
  read: undefined,
  store: (stored) =>
    Effect.map(pages.store(block, stored), () =>
      TransferCounters.add(
        transfer.counters,
        { block: shape, ...stored },
        stored.extents.reduce((sum, { bytes }) => sum + bytes.length, 0)
      )
    )
})

const ramWriter = (session: Session): RamWriter<Committed, WriteError> => ({
  openSinks: Effect.sync(
    () => new Map(session.tables.map((table, block) => [table.shape.idstr, sinkOf(session, table, block)]))
  ),
  during: (ram) => whileRenewed(session, ram),
  endRam: (end) => Effect.sync(() => stateWriter(session, end))
})

/** A third of a lease apart, so that two renewals may fail before another process considers the writer dead. */
const whileRenewed = <B, E, R>(
  { renewal }: Session,
  work: Effect.Effect<B, E, R>
): Effect.Effect<B, E | WriteError, R> => {
  const every = Schedule.spaced(`${LEASE_SECONDS / 3} seconds`)
  const renew = Effect.delay(Effect.repeat(renewal, every), `${LEASE_SECONDS / 3} seconds`)
  return Effect.raceFirst(work, Effect.andThen(renew, Effect.never))
}

const stateWriter = (session: Session, end: RamEnd): StateWriter<Committed, WriteError> => {
  const pieces: Array<Uint8Array> = []
  const all = (): Uint8Array => Bytes.concat(pieces)
  return {
    write: (bytes) => Effect.sync(() => void pieces.push(bytes.slice())),
    written: Effect.sync(() => ByteSource.fromBytes(all())),
    finish: (layout) => Effect.suspend(() => finish(session, end, all(), layout))
  }
}

const deviceOf = ({ machine }: Session, end: RamEnd, bytes: Uint8Array, layout: StateLayout): Uint8Array => {
  const { configuration, prelude, ramSectionId, uuid } = machine
  const { early, footers, marks, switchoverStart } = end
  const part = ({ length, position }: StateRange) => bytes.subarray(position, position + length)
  return MachinePart.encode({
    configuration,
    prelude,
    ramSectionId,
    early,
    footers,
    switchoverStart,
    deviceState: part(layout.deviceState),
    description: part(layout.description),
    blocks: machine.blocks.map(({ address, idstr, ignored }) => ({
      idstr,
      ...(address === undefined ? {} : { address }),
      ...(ignored === undefined ? {} : { ignored })
    })),
    notes: {
      ...machine.notes,
      ...(uuid === undefined ? {} : { uuid: Uuid.format(uuid) }),
      ...(marks === undefined ? {} : { marks })
    }
  })
}

/** The packs that contain pages, and for every pack of the writer's table the number of its first page among those. */
const usedPacks = ({ pages, tables }: Session): { packs: ReadonlyArray<PackReference>; starts: Float64Array } => {
  const used = new Set<number>()
  for (const table of tables) table.forEachPack((pack) => used.add(pack))
  const starts = new Float64Array(pages.packs.length)
  let next = 0
  const packs = pages.packs.filter((pack, index) => {
    starts[index] = next
    if (!used.has(index)) return false
    next += pack.pages
    return true
  })
  return { packs, starts }
}

const mapOf = (session: Session, device: Uint8Array): PageMap => {
  const { base, chain, machine, tables } = session
  const { packs, starts } = usedPacks(session)
  const byName = new Map(tables.map((table) => [table.shape.idstr, table.toMapBlock(starts)]))
  return {
    pageSize: machine.blocks[0]?.pageSize ?? RamBlock.defaultPageSize,
    snapshot: chain.snapshot,
    writer: chain.writer,
    number: 0,
    parent: base?.snapshot,
    device,
    packs,
    blocks: machine.blocks.map((block) => byName.get(block.idstr) ?? new PageTable(block).toMapBlock(starts))
  }
}

const finish = Effect.fnUntraced(function* (
  session: Session,
  end: RamEnd,
  bytes: Uint8Array,
  layout: StateLayout
): Effect.fn.Return<Prepared<Committed, WriteError>, WriteError> {
  const { base, chain, machine, options, pages, repository, tables } = session
  yield* pages.finish
  const written = yield* Repository.writeMap(repository, mapOf(session, deviceOf(session, end, bytes, layout)))
  const { knownPages, newPages, packBytes, supersededPages } = pages.counts
  const bytesStored = packBytes + written.bytes
  const commit = chain.append({
    state: "COMMIT",
    ...written,
    bytes: bytesStored,
    packs: pages.own.length,
    memoryDigest: memoryDigest(tables),
    labels: options.labels ?? {},
    parent: base?.snapshot ?? null,
    image: {
      blocks: machine.blocks.map(({ idstr, usedLength }) => ({ idstr, usedLength })),
      machine: machine.configuration?.machine ?? null,
      qemu: options.qemu ?? null
    }
  })
  const committed: Committed = {
    snapshot: chain.snapshot,
    parent: base?.snapshot,
    bytesStored,
    pagesNew: newPages,
    pagesKnown: knownPages,
    pagesSuperseded: supersededPages
  }
  return {
    // Packs and map are durable by now: an object store needs no other sync.
    sync: Effect.succeed({
      commit: commit.pipe(
        Effect.tap(() => Effect.sync(() => void (session.state.committed = true))),
        Effect.andThen(chain.assertOpened(session.opened)),
        Effect.as(committed)
      )
    })
  }
})

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as ObjectName from "../../format/store/ObjectName.ts"
import type * as SnapshotRecord from "../../format/store/SnapshotRecord.ts"
import * as StoreId from "../../format/store/StoreId.ts"
import * as Repository from "../Repository.ts"
import { SnapshotFencedError } from "../SnapshotError.ts"

type Record = SnapshotRecord.SnapshotRecord

/** The fields of a record besides those that its writer adds to all. */
export type RecordFields<R = Record> = R extends Record
  ? Omit<R, "at" | "nonce" | "previousNonce" | "seq" | "snapshot" | "vm" | "writer">
  : never

/** Seconds after which a silent writer may be considered dead. */
export const LEASE_SECONDS = 300

/**
 * The chain of a snapshot as its writer continues it: a record goes to the place after the writer's own last one, never
 * to "the end of the chain".
 *
 * @internal
 */
export class ChainWriter {
  readonly snapshot: string
  readonly writer: string
  readonly #repository: Repository.Repository
  readonly #vm: string
  #last: Record | undefined

  constructor(
    repository: Repository.Repository,
    place: { readonly vm: string; readonly snapshot: string; readonly writer: string; readonly last?: Record }
  ) {
    this.#repository = repository
    this.#vm = place.vm
    this.snapshot = place.snapshot
    this.writer = place.writer
    this.#last = place.last
  }

  /**
   * Appends a record. Fails with `SnapshotFencedError` if another writer's record has its place. An interruption waits
   * until the store has answered: the next record follows this one.
   */
  append(fields: RecordFields) {
    return Effect.uninterruptible(this.#append(fields))
  }

  #append(fields: RecordFields) {
    return Effect.gen({ self: this }, function* () {
      const last = this.#last
      const record = {
        ...fields,
        seq: last === undefined ? 0 : last.seq + 1,
        snapshot: this.snapshot,
        vm: this.#vm,
        at: yield* Clock.currentTimeMillis,
        writer: this.writer,
        nonce: StoreId.random(),
        previousNonce: last?.nonce ?? null
      } as Record
      yield* Repository.append(this.#repository, record)
      this.#last = record
      return record
    })
  }

  /** Fails if the chain has any other record than its OPEN: this id was used before, and is finished. */
  get assertAlone() {
    const { objects, keys } = this.#repository
    const prefix = `vm/${keys.machineId(this.#vm)}/${this.snapshot}/`
    return Effect.flatMap(Stream.runCollect(objects.list(prefix)), (records) =>
      records.length === 1 ? Effect.void : Effect.fail(this.#fenced)
    )
  }

  /** Fails if OPEN no longer exists, or is another writer's: this snapshot was removed while it was written. */
  assertOpened(open: Record) {
    const { keys } = this.#repository
    return Repository.readRecord(
      this.#repository,
      ObjectName.format({ kind: "record", vm: keys.machineId(this.#vm), snapshot: this.snapshot, generation: 0 })
    ).pipe(
      Effect.catchTag("ObjectMissingError", () => Effect.fail(this.#fenced)),
      Effect.flatMap(({ nonce }) => (nonce === open.nonce ? Effect.void : Effect.fail(this.#fenced)))
    )
  }

  get #fenced(): SnapshotFencedError {
    return new SnapshotFencedError({ store: this.#repository.objects.url, snapshot: this.snapshot })
  }
}

/**
 * An opened snapshot store: its objects, its configuration and its keys.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { Buffer } from "node:buffer"
import { createHash, randomBytes } from "node:crypto"
import type * as Finding from "../format/Finding.ts"
import * as ObjectName from "../format/store/ObjectName.ts"
import * as PageMap from "../format/store/PageMap.ts"
import * as SealedObject from "../format/store/SealedObject.ts"
import * as SnapshotRecord from "../format/store/SnapshotRecord.ts"
import * as StoreConfig from "../format/store/StoreConfig.ts"
import * as StoreId from "../format/store/StoreId.ts"
import * as WrappedKey from "../format/store/WrappedKey.ts"
import { type Calls, ObjectStore } from "./ObjectStore.ts"
import * as RepositoryKeys from "./RepositoryKeys.ts"
import * as SnapshotChain from "./SnapshotChain.ts"
import { RepositoryError, SnapshotFencedError, StoreKeyError } from "./SnapshotError.ts"
import * as StoreError from "./StoreError.ts"

/**
 * An opened store.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Repository {
  readonly objects: Calls
  readonly config: StoreConfig.StoreConfig
  readonly keys: RepositoryKeys.RepositoryKeys
}

const KEY_BYTES = 32

/** The error of a finding in an object. */
const damaged = (store: string, object: string, finding: Finding.Finding) =>
  finding.category === "unsupported"
    ? new StoreError.StoreFormatError({ store, object, finding })
    : new StoreError.StoreDamagedError({ store, object, findings: [finding] })

/**
 * The value of an object, or the error that names it.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decoded = <A>(
  { url }: Calls,
  object: string,
  result: Result.Result<A, Finding.Finding>
): Effect.Effect<A, StoreError.StoreDamagedError | StoreError.StoreFormatError> =>
  Result.isSuccess(result) ? Effect.succeed(result.success) : Effect.fail(damaged(url, object, result.failure))

/**
 * Options of a new store.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface InitOptions {
  /** Encrypts the store. Default: no encryption. */
  readonly secret?: RepositoryKeys.Secret | undefined
  /** Bytes of pages in a frame, from 4096 to 1 MiB. Default 65536. */
  readonly frameBytes?: number | undefined
}

const CONFIG = ObjectName.format({ kind: "config", number: 1 })

const createOnly = (objects: Calls, name: string, body: Uint8Array) =>
  Effect.flatMap(objects.putIfAbsent(name, body), (answer) =>
    answer === "created" ? Effect.void : Effect.fail(new RepositoryError({ store: objects.url, problem: "exists" }))
  )

/**
 * Makes a store. Its configuration is written last, so that a store is complete or there is none.
 *
 * **Failure effect**: there is no store; a wrapped key that nothing refers to may be left.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const init = Effect.fnUntraced(function* (options: InitOptions = {}) {
  const objects = yield* ObjectStore
  const existing = yield* Effect.result(objects.get(CONFIG))
  if (Result.isSuccess(existing)) return yield* new RepositoryError({ store: objects.url, problem: "exists" })
  if (existing.failure._tag !== "ObjectMissingError") return yield* existing.failure
  const { frameBytes = 65536, secret } = options
  const repository = StoreId.make(yield* objects.now)
  const config: StoreConfig.StoreConfig = {
    format: StoreConfig.FORMAT,
    repository,
    frameBytes,
    digest: "sha256-prefix-128",
    digestKey: secret === undefined ? randomBytes(KEY_BYTES).toString("hex") : null,
    compression: "zstd",
    encryption: secret === undefined ? null : "aes-256-gcm",
    features: []
  }
  if (secret === undefined) {
    yield* createOnly(objects, CONFIG, StoreConfig.encode(config))
    return { objects, config, keys: RepositoryKeys.plain(config) } satisfies Repository
  }
  const repositoryKey = new Uint8Array(randomBytes(KEY_BYTES))
  const name = ObjectName.format({ kind: "key", id: StoreId.random() })
  const wrapped = yield* RepositoryKeys.wrap(secret, { repositoryKey, repository, name })
  yield* createOnly(objects, name, WrappedKey.encode(wrapped))
  yield* createOnly(objects, CONFIG, StoreConfig.encode(config, RepositoryKeys.configKey(repositoryKey)))
  return { objects, config, keys: RepositoryKeys.encrypted(repositoryKey) } satisfies Repository
})

const unwrapAny = Effect.fnUntraced(function* (objects: Calls, repository: string, secret: RepositoryKeys.Secret) {
  const names = yield* Stream.runCollect(objects.list("key/"))
  for (const { name } of names) {
    const wrapped = yield* decoded(objects, name, WrappedKey.decode(yield* objects.get(name)))
    const key = yield* RepositoryKeys.unwrap(secret, wrapped, { repository, name })
    if (key !== undefined) return key
  }
  return yield* new StoreKeyError({ store: objects.url, problem: "wrong-key" })
})

/**
 * Opens a store. With a secret, an unencrypted store is refused, and so is a configuration that was not written with
 * the store's key: write access to a bucket must not suffice to switch encryption off.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const open = Effect.fnUntraced(function* (secret?: RepositoryKeys.Secret | undefined) {
  const objects = yield* ObjectStore
  const store = objects.url
  const bytes = yield* objects
    .get(CONFIG)
    .pipe(Effect.catchTag("ObjectMissingError", () => Effect.fail(new RepositoryError({ store, problem: "missing" }))))
  const config = yield* decoded(objects, CONFIG, StoreConfig.decode(bytes))
  if (secret === undefined) {
    if (config.encryption !== null) return yield* new RepositoryError({ store, problem: "encrypted" })
    return { objects, config, keys: RepositoryKeys.plain(config) } satisfies Repository
  }
  if (config.encryption === null) return yield* new RepositoryError({ store, problem: "not-encrypted" })
  const key = yield* unwrapAny(objects, config.repository, secret)
  if (!StoreConfig.isAuthentic(config, RepositoryKeys.configKey(key))) {
    return yield* new StoreKeyError({ store, problem: "forged-config" })
  }
  return { objects, config, keys: RepositoryKeys.encrypted(key) } satisfies Repository
})

/**
 * An object and the key that seals it; `undefined` if the store is not encrypted.
 *
 * @stability unstable
 * @category sealing
 * @since 0.1.0
 */
export const sealingOf = ({ config, keys }: Repository, name: string): SealedObject.Sealing | undefined =>
  keys.repositoryKey === undefined
    ? undefined
    : { repositoryKey: keys.repositoryKey, repository: config.repository, name }

const seal = (self: Repository, name: string, message: Uint8Array): Uint8Array => {
  const sealing = sealingOf(self, name)
  return sealing === undefined ? message : SealedObject.seal(sealing, message)
}

const unseal = (self: Repository, name: string, bytes: Uint8Array): Result.Result<Uint8Array, Finding.Finding> => {
  const sealing = sealingOf(self, name)
  return sealing === undefined ? Result.succeed(bytes) : SealedObject.open(sealing, bytes)
}

const recordName = (self: Repository, { seq, snapshot, vm }: SnapshotRecord.SnapshotRecord): string =>
  ObjectName.format({ kind: "record", vm: self.keys.machineId(vm), snapshot, generation: seq })

/**
 * A record of the store.
 *
 * @stability unstable
 * @category records
 * @since 0.1.0
 */
export const readRecord = Effect.fnUntraced(function* (self: Repository, name: string) {
  const bytes = yield* self.objects.get(name)
  return yield* decoded(self.objects, name, Result.flatMap(unseal(self, name, bytes), SnapshotRecord.decode))
})

/** Tries again for about two minutes while the store does not answer. */
const patience = Schedule.exponential("200 millis").pipe(Schedule.upTo({ duration: "2 minutes" }))

const isUnavailable = (error: { readonly _tag: string }): boolean => error._tag === "StoreUnavailableError"

/**
 * Appends a record to its chain. Fails with `SnapshotFencedError` if another writer's record has its place. After a
 * lost answer that place is read until it is known; a record never goes to the next one.
 *
 * **Failure effect**: if the store is unavailable, it is unknown whether the record is in the chain.
 *
 * @stability unstable
 * @category records
 * @since 0.1.0
 */
export const append = Effect.fnUntraced(function* (self: Repository, record: SnapshotRecord.SnapshotRecord) {
  const name = recordName(self, record)
  const body = seal(self, name, yield* decoded(self.objects, name, SnapshotRecord.encode(record)))
  const place = Effect.flatMap(self.objects.putIfAbsent(name, body), (answer) =>
    answer === "created" ? Effect.void : assertOwn(self, name, record)
  )
  yield* Effect.retry(place, { schedule: patience, while: isUnavailable })
})

const assertOwn = Effect.fnUntraced(function* (self: Repository, name: string, record: SnapshotRecord.SnapshotRecord) {
  const { nonce } = yield* readRecord(self, name)
  if (nonce === record.nonce) return
  return yield* new SnapshotFencedError({ store: self.objects.url, snapshot: record.snapshot })
})

/**
 * A snapshot of a listing, with all of its records.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Chain {
  readonly snapshot: string
  /** The part of the records' names that identifies the machine. */
  readonly vmId: string
  readonly records: ReadonlyArray<SnapshotRecord.SnapshotRecord>
  /** The time at which its newest record was written, by the clock of the store, in milliseconds since 1970. */
  readonly modified: number
  readonly state: SnapshotChain.SnapshotChain
}

/** A chain of a listing. */
interface Found {
  readonly snapshot: string
  readonly vmId: string
  readonly generations: ReadonlyArray<number>
  readonly modified: number
}

/** A record in the listing, or one that the listing may have missed; `undefined`: there is none. */
const findRecord = (self: Repository, vmId: string, snapshot: string, generation: number) =>
  readRecord(self, ObjectName.format({ kind: "record", vm: vmId, snapshot, generation })).pipe(
    Effect.catchTag("ObjectMissingError", () => Effect.succeed(undefined))
  )

/**
 * The state of a chain from a listing of its records. A listing may be torn: a record that it lacks in the middle is
 * read, and only if it does not exist is there a gap.
 */
const chainOf = Effect.fnUntraced(function* (self: Repository, { generations, modified, snapshot, vmId }: Found) {
  const count = 1 + Math.max(...generations)
  // Old chains keep only their last record, which may have any number.
  const asked = count > MAX_RECORDS ? generations : Array.from({ length: count }, (_, generation) => generation)
  const found = yield* Effect.forEach(asked, (generation) => findRecord(self, vmId, snapshot, generation), {
    concurrency: 8
  })
  const records = found.filter((record) => record !== undefined)
  const state = yield* decoded(self.objects, `vm/${vmId}/${snapshot}`, SnapshotChain.fold(records))
  return { snapshot, vmId, records, modified, state } satisfies Chain
})

/** More records than a chain has: a week of renewals. In a longer one, the number was forged. */
const MAX_RECORDS = 16_384

/**
 * All chains of the store, or those of one machine, oldest first.
 *
 * @stability unstable
 * @category records
 * @since 0.1.0
 */
export const chains = (self: Repository, vm?: string | undefined) =>
  chainsBelow(self, vm === undefined ? "vm/" : `vm/${self.keys.machineId(vm)}/`)

/**
 * The chain of one snapshot; `undefined`: it has no records.
 *
 * @stability unstable
 * @category records
 * @since 0.1.0
 */
export const chain = (self: Repository, { snapshot, vmId }: Pick<Chain, "snapshot" | "vmId">) =>
  Effect.map(chainsBelow(self, `vm/${vmId}/${snapshot}/`), ([found]) => found)

const chainsBelow = Effect.fnUntraced(function* (self: Repository, prefix: string) {
  const names = yield* Stream.runCollect(self.objects.list(prefix))
  const found = new Map<string, Found>()
  for (const { modified, name } of names) {
    const parsed = ObjectName.parse(name)
    if (parsed?.kind !== "record") continue
    const key = `${parsed.vm}/${parsed.snapshot}`
    const { generations = [], modified: newest = 0 } = found.get(key) ?? {}
    found.set(key, {
      snapshot: parsed.snapshot,
      vmId: parsed.vm,
      generations: [...generations, parsed.generation],
      modified: Math.max(newest, modified)
    })
  }
  const sorted = [...found.values()].toSorted((a, b) => (a.snapshot < b.snapshot ? -1 : 1))
  return yield* Effect.forEach(sorted, (chain) => chainOf(self, chain), { concurrency: 8 })
})

/**
 * A map of the store, compared with the SHA-256 in its COMMIT, if that is known.
 *
 * @stability unstable
 * @category maps
 * @since 0.1.0
 */
export const readMap = Effect.fnUntraced(function* (self: Repository, name: string, sha256?: string | undefined) {
  const bytes = yield* self.objects.get(name)
  return yield* decoded(
    self.objects,
    name,
    Result.flatMap(unseal(self, name, bytes), (plain) => checkedMap(plain, sha256))
  )
})

const checkedMap = (plain: Uint8Array, sha256: string | undefined): Result.Result<PageMap.PageMap, Finding.Finding> => {
  const actual = sha256Of(plain)
  return sha256 === undefined || actual === sha256 ? PageMap.decode(plain) : PageMap.mismatch(sha256, actual)
}

/**
 * The SHA-256 of bytes, in hexadecimal.
 *
 * @stability unstable
 * @category maps
 * @since 0.1.0
 */
export const sha256Of = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

/**
 * Writes a map under its name; returns the fields for COMMIT.
 *
 * @stability unstable
 * @category maps
 * @since 0.1.0
 */
export const writeMap = Effect.fnUntraced(function* (self: Repository, map: PageMap.PageMap) {
  const { number, snapshot, writer } = map
  const name = ObjectName.format({ kind: "map", snapshot, writer, number })
  const plain = PageMap.encode(map)
  yield* putObject(self.objects, name, seal(self, name, plain))
  return { map: name, mapSha256: sha256Of(plain), bytes: plain.length }
})

/**
 * Creates an object under a name that no other writer uses: `exists` is the answer to a repeated call.
 *
 * @stability unstable
 * @category writing
 * @since 0.1.0
 */
export const putObject = (objects: Calls, name: string, body: Uint8Array | ReadonlyArray<Uint8Array>) =>
  Effect.retry(Effect.asVoid(objects.putIfAbsent(name, body)), { schedule: patience, while: isUnavailable })

/** The hexadecimal text of bytes, for fields of records. */
export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

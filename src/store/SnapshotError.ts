/**
 * Errors of requests that do not match the contents of a snapshot store.
 *
 * @since 0.1.0
 */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../ram/TaggedError.ts"

/**
 * There is no store at that address, or there is one already. Nothing was touched. Exit code 2.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export class RepositoryError extends TaggedError<RepositoryError>()("RepositoryError", {
  store: Schema.String,
  problem: Schema.Literals(["missing", "exists", "encrypted", "not-encrypted"])
}) {
  override readonly [Runtime.errorExitCode] = 2
  override get message() {
    return `${this.store}: ${problems[this.problem]}`
  }
}

const problems = {
  missing: 'there is no store; make one with "multifd store init"',
  exists: "cannot make a store: there is one already; choose another place",
  encrypted: "cannot open the store: it is encrypted; give --store-key-file or --store-passphrase-file",
  "not-encrypted": "cannot open the store with a key: it is not encrypted; leave out the key, or check the address"
}

/**
 * The key or the passphrase does not open the store, or its configuration was not written with this key. Nothing was
 * touched. Exit code 4.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export class StoreKeyError extends TaggedError<StoreKeyError>()("StoreKeyError", {
  store: Schema.String,
  problem: Schema.Literals(["wrong-key", "forged-config"])
}) {
  override readonly [Runtime.errorExitCode] = 4
  override get message() {
    return this.problem === "wrong-key"
      ? `${this.store}: cannot open the store with this key or passphrase; give the one that it was made with`
      : `${this.store}: the configuration was not written with the store's key: it was tampered with; restore it`
  }
}

/**
 * There is no snapshot of that name that can be read, or more than one. Nothing was touched. Exit code 2.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export class SnapshotNotFoundError extends TaggedError<SnapshotNotFoundError>()("SnapshotNotFoundError", {
  store: Schema.String,
  /** The requested name: an id, the start of one, or `NAME@latest`. */
  snapshot: Schema.String,
  problem: Schema.Literals(["unknown", "ambiguous", "open", "forgotten", "dead"])
}) {
  override readonly [Runtime.errorExitCode] = 2
  override get message() {
    return `${this.store}: ${this.snapshot}: ${snapshotProblems[this.problem]}`
  }
}

const snapshotProblems = {
  unknown: 'there is no such snapshot; "multifd store list" shows those there are',
  ambiguous: "several snapshots begin like this; give more characters of the id",
  open: "the snapshot is still being written; wait, or take another",
  forgotten: 'the snapshot was forgotten; "multifd store unforget" brings it back',
  dead: "the snapshot was never completed, or was removed; take another"
}

/**
 * Another writer took over the snapshot. Nothing of this writer is visible. Exit code 10.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export class SnapshotFencedError extends TaggedError<SnapshotFencedError>()("SnapshotFencedError", {
  store: Schema.String,
  snapshot: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 10
  override get message() {
    return `${this.store}: ${this.snapshot}: another writer took over this snapshot; start a new one`
  }
}

/**
 * Failures of a snapshot store, besides those of its objects.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export type SnapshotError = RepositoryError | StoreKeyError | SnapshotNotFoundError | SnapshotFencedError

/**
 * Failures of a snapshot store, one class for each reaction of a caller.
 *
 * @since 0.1.0
 */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../ram/TaggedError.ts"
import { Finding } from "../format/Finding.ts"

const operations = ["create", "read", "list", "remove", "ask for the time"] as const

/**
 * The operation on an object.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Operation = (typeof operations)[number]

const fields = {
  /** The store: `file:PATH` or `s3://BUCKET/PREFIX`. */
  store: Schema.String,
  operation: Schema.Literals(operations),
  /** The object, or the prefix that was listed. */
  object: Schema.String,
  /** The reason from the operating system or the server. */
  reason: Schema.String,
  cause: Schema.optional(Schema.Defect())
}

const where = ({ object, operation, store }: { store: string; object: string; operation: string }): string =>
  `${store}: cannot ${operation} ${object === "" ? "the store" : object}`

/**
 * There is no such object. Exit code 4: a reference to an object proves that it existed, so it was lost.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export class ObjectMissingError extends TaggedError<ObjectMissingError>()("ObjectMissingError", {
  store: Schema.String,
  object: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 4
  override get message() {
    return `${this.store}: expected the object ${this.object}, found none: run "multifd store check"`
  }
}

/**
 * The store did not answer, or failed for a reason without a class of its own. Exit code 6.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export class StoreUnavailableError extends TaggedError<StoreUnavailableError>()("StoreUnavailableError", fields) {
  override readonly [Runtime.errorExitCode] = 6
  override get message() {
    return `${where(this)}: ${this.reason}`
  }
}

/**
 * The store has no room. Exit code 7.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export class StoreFullError extends TaggedError<StoreFullError>()("StoreFullError", fields) {
  override readonly [Runtime.errorExitCode] = 7
  override get message() {
    return `${where(this)}: no space left (${this.reason}); make room, or run "multifd store prune"`
  }
}

/**
 * The store refuses access. Exit code 6.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export class StoreAccessError extends TaggedError<StoreAccessError>()("StoreAccessError", fields) {
  override readonly [Runtime.errorExitCode] = 6
  override get message() {
    return `${where(this)}: not permitted (${this.reason}); check the credentials and the permissions`
  }
}

/**
 * Objects of the store are damaged, forged, or belong to another key. Nothing of them was used. Exit code 4.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export class StoreDamagedError extends TaggedError<StoreDamagedError>()("StoreDamagedError", {
  store: Schema.String,
  object: Schema.String,
  findings: Schema.NonEmptyArray(Finding)
}) {
  override readonly [Runtime.errorExitCode] = 4
  override get message() {
    const more = this.findings.length > 1 ? ` (and ${this.findings.length - 1} more)` : ""
    return `${this.store}: ${this.object}: ${this.findings[0].message}${more}`
  }
}

/**
 * The store has a newer format, or a feature that this version does not know. Nothing was touched. Exit code 3.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export class StoreFormatError extends TaggedError<StoreFormatError>()("StoreFormatError", {
  store: Schema.String,
  object: Schema.String,
  finding: Finding
}) {
  override readonly [Runtime.errorExitCode] = 3
  override get message() {
    return `${this.store}: ${this.object}: ${this.finding.message}; use a newer version of multifd`
  }
}

/**
 * Failures of an object store.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export type ObjectError = ObjectMissingError | StoreAccessError | StoreFullError | StoreUnavailableError

/**
 * Failures of a snapshot store's objects and their content.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export type StoreError = ObjectError | StoreDamagedError | StoreFormatError

/**
 * Errors on the machine's side of a capture or a resume.
 *
 * @since 0.1.0
 */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../ram/TaggedError.ts"
import * as Problem from "../ram/Problem.ts"
import * as MigrationStatus from "../migration/MigrationStatus.ts"

/**
 * The machine is in a state in which it cannot be captured or resumed, or it is another machine.
 *
 * **Details**
 *
 * Detected before anything was touched; all problems are listed. Exit code 2.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class VmNotReadyError extends TaggedError<VmNotReadyError>()("VmNotReadyError", {
  /** The monitor's address. */
  peer: Schema.String,
  operation: Schema.Literals(["capture", "resume"]),
  /** The reasons, and the remedies. */
  problems: Schema.NonEmptyArray(Problem.Problem)
}) {
  override readonly [Runtime.errorExitCode] = 2
  override get message(): string {
    return `${this.peer}: ${Problem.refusal(this.operation, this.problems)}`
  }
}

/** Up to 10.0 a destination tells its monitor only that it failed. */
const elsewhere = (description: string): string =>
  /^(?:load of migration failed(?:: [^:]*)?)?$/.test(description) ? "says why" : "may say more"

/**
 * QEMU's side of the migration failed, or was cancelled by another client. `description` is QEMU's own text, `here`
 * what this side saw of it. A source continues as before; a destination cannot be used again. Exit code 10.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class QemuMigrationError extends TaggedError<QemuMigrationError>()("QemuMigrationError", {
  /** The monitor's address. */
  peer: Schema.String,
  /** QEMU's side of the migration. */
  role: MigrationStatus.Role,
  /** QEMU's `MigrationStatus`, possibly one that is unknown here. */
  status: Schema.String,
  description: Schema.String,
  here: Schema.optional(Schema.String)
}) {
  override readonly [Runtime.errorExitCode] = 10
  override get message(): string {
    const here = this.here === undefined ? "" : ` (on this side: ${this.here})`
    const more = this.role === "destination" ? `; QEMU's standard error ${elsewhere(this.description)}` : ""
    return `${this.peer}: QEMU's migration ${this.status}: ${this.description || "it does not say why"}${more}${here}`
  }
}

/**
 * The two sides of a migration could not meet at the socket: QEMU runs as another user, in a container, or has a
 * separate `/tmp`. A source continues as before; a destination must be restarted, because QEMU listens only once. Exit
 * code 10.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class SocketUnreachableError extends TaggedError<SocketUnreachableError>()("SocketUnreachableError", {
  /** The monitor's address. */
  peer: Schema.String,
  /** QEMU's side of the migration. */
  role: MigrationStatus.Role,
  /** The socket's address. */
  address: Schema.String,
  /** QEMU's message, or that of this side. */
  description: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 10
  override get message(): string {
    const again = this.role === "destination" ? "; start this QEMU again first" : ""
    return (
      `${this.peer}: QEMU and this program cannot meet at ${this.address}: ${this.description}; if QEMU runs as another user, ` +
      "in a container or with a separate /tmp, name a socket that both can reach: --listen unix:PATH in a directory of " +
      `both, or --listen tcp:HOST:PORT${again}`
    )
  }
}

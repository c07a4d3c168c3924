/**
 * Why a virtual machine cannot be captured or resumed, as far as it is the machine's side.
 *
 * @since 0.1.0
 */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Problem from "../ram/Problem.ts"
import * as MigrationStatus from "../migration/MigrationStatus.ts"

/**
 * The machine is in no state in which it can be captured or resumed, or it is another machine.
 *
 * **Details**
 *
 * Found before anything was touched; all problems are listed. Exit code 2.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class VmNotReadyError extends Schema.TaggedError<VmNotReadyError>()("VmNotReadyError", {
  /** The monitor's address. */
  peer: Schema.String,
  operation: Schema.Literals(["capture", "resume"]),
  /** What makes it impossible, and what to do. */
  problems: Schema.NonEmptyArray(Problem.Problem)
}) {
  override readonly [Runtime.errorExitCode] = 2
  override get message(): string {
    return `${this.peer}: ${Problem.refusal(this.operation, this.problems)}`
  }
}

/** Up to 10.0 a destination tells its monitor no more than that it failed. */
const elsewhere = (description: string): string =>
  /^(?:load of migration failed(?:: [^:]*)?)?$/.test(description) ? "says why" : "may say more"

/**
 * QEMU's side of the migration failed, or was cancelled by somebody else. `description` is QEMU's own words, `here` what this
 * side saw of it. A source goes on as before; a destination cannot be used again. Exit code 10.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class QemuMigrationError extends Schema.TaggedError<QemuMigrationError>()("QemuMigrationError", {
  /** The monitor's address. */
  peer: Schema.String,
  /** Which side QEMU was. */
  role: MigrationStatus.Role,
  /** QEMU's `MigrationStatus`; one that is not known here may be among them. */
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
 * The two sides of a migration did not come together at the socket that was made for it: QEMU runs as another user, in a
 * container, or has a `/tmp` of its own. A source goes on as before; a destination has to be started again, since QEMU listens
 * once only. Exit code 10.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class SocketUnreachableError extends Schema.TaggedError<SocketUnreachableError>()("SocketUnreachableError", {
  /** The monitor's address. */
  peer: Schema.String,
  /** Which side QEMU was. */
  role: MigrationStatus.Role,
  /** The socket's. */
  address: Schema.String,
  /** QEMU's words, or those of this side. */
  description: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 10
  override get message(): string {
    const again = this.role === "destination" ? "; this QEMU has to be started again first" : ""
    return (
      `${this.peer}: QEMU and this program cannot meet at ${this.address}: ${this.description}; if QEMU runs as another user, ` +
      "in a container or with a /tmp of its own, name a socket that both can reach: --listen unix:PATH in a directory of " +
      `both, or --listen tcp:HOST:PORT${again}`
    )
  }
}

/**
 * Reasons why a file cannot be used as an image.
 *
 * @since 0.1.0
 */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../ram/TaggedError.ts"
import { type Category, Finding } from "../format/Finding.ts"

const fields = {
  /** The file that was opened. */
  path: Schema.String,
  /** All problems with it, with the reason for the error first. */
  findings: Schema.NonEmptyArray(Finding)
}

const explain = (
  error: { readonly path: string; readonly findings: readonly [Finding, ...ReadonlyArray<Finding>] },
  verdict: string
): string => {
  const more = error.findings.length > 1 ? ` (and ${error.findings.length - 1} more)` : ""
  return `${error.path}: ${verdict}: ${error.findings[0].message}${more}`
}

/**
 * The file contains no migration stream.
 *
 * **Details**
 *
 * Nothing was touched. Exit code 3.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class NotMigrationImageError extends TaggedError<NotMigrationImageError>()("NotMigrationImageError", fields) {
  override readonly [Runtime.errorExitCode] = 3
  override get message() {
    return explain(this, "not a migration image")
  }
}

/**
 * A migration file without pages at fixed offsets, such as a plain stream or a compressed libvirt save.
 *
 * **Details**
 *
 * Nothing was touched. Exit code 3.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class UnsupportedImageError extends TaggedError<UnsupportedImageError>()("UnsupportedImageError", fields) {
  override readonly [Runtime.errorExitCode] = 3
  override get message() {
    return explain(this, "not a mapped-ram image")
  }
}

/**
 * The image contradicts itself: QEMU would crash, hang, refuse it or silently load wrong RAM.
 *
 * **Details**
 *
 * Detected before any RAM was touched. Exit code 4.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class CorruptImageError extends TaggedError<CorruptImageError>()("CorruptImageError", fields) {
  override readonly [Runtime.errorExitCode] = 4
  override get message() {
    return explain(this, "corrupt")
  }
}

/**
 * The image is incomplete: a save that was cancelled, failed or is still running, or a truncated file.
 *
 * **Details**
 *
 * Detected before any RAM was touched. Exit code 5.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class TruncatedImageError extends TaggedError<TruncatedImageError>()("TruncatedImageError", fields) {
  override readonly [Runtime.errorExitCode] = 5
  override get message() {
    return explain(this, "truncated")
  }
}

/**
 * The checksums do not match the image. Either another image was written over the sealed one, as by a QEMU that saves
 * to a device, or it is damaged outside of RAM. Only its history can tell which.
 *
 * **Details**
 *
 * Detected before any RAM was touched. If the image is known to be good, `Seal` makes new checksums, and
 * `verify: false` reads it unchecked. Exit code 4.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class SealMismatchError extends TaggedError<SealMismatchError>()("SealMismatchError", fields) {
  override readonly [Runtime.errorExitCode] = 4
  override get message() {
    return explain(this, "its checksums do not belong to it")
  }
}

/**
 * Any reason why a file cannot be used as an image.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export type ImageError =
  NotMigrationImageError | UnsupportedImageError | CorruptImageError | TruncatedImageError | SealMismatchError

/** A finding about a file; a peer's errors never are. */
interface FileFinding extends Finding {
  readonly category: Exclude<Category, "protocol">
}

const isFileError = (finding: Finding): finding is FileFinding =>
  finding.severity === "error" && finding.category !== "protocol"

/**
 * The error for a set of findings, or `undefined` if none of them is an error of the file. The first error decides the
 * class.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const fromFindings = (path: string, all: ReadonlyArray<Finding>): ImageError | undefined => {
  const [first, ...rest] = all.filter(isFileError)
  if (first === undefined) return undefined
  const props = { path, findings: [first, ...rest] as const }
  switch (first.category) {
    case "not-image":
      return new NotMigrationImageError(props)
    case "unsupported":
      return new UnsupportedImageError(props)
    case "truncated":
      return new TruncatedImageError(props)
    case "corrupt":
      return new CorruptImageError(props)
    case "unmatched":
      return new SealMismatchError(props)
  }
}

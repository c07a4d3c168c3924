/**
 * What the project's process is asked to do.
 */
import * as Schema from "effect/Schema"

const common = {
  /** Of the one block. */
  idstr: Schema.String,
  /** Whether the pages lie in process memory or in a file. */
  store: Schema.Literals(["memory", "file"]),
  /** The image that is written, or the file that is restored into. */
  target: Schema.String,
  /** Whether to do something small first, so that the code is compiled. */
  warm: Schema.Boolean,
  /** A path for what is done first. */
  scratch: Schema.String
}

/** A save of a file with RAM, or a restore of the block from an image. */
export const Job = Schema.Union([
  Schema.Struct({ kind: Schema.tag("save"), ram: Schema.String, ...common }),
  Schema.Struct({ kind: Schema.tag("restore"), image: Schema.String, size: Schema.Int, ...common })
])
export type Job = typeof Job.Type

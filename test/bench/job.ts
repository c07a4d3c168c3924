/**
 * What the project's process is asked to do.
 */
import * as Schema from "effect/Schema"
import { methods } from "../../src/compression/Compression.ts"

const common = {
  /** Whether to do something small first, so that the code is compiled. */
  warm: Schema.Boolean,
  /** A path for what is done first. */
  scratch: Schema.String
}

const withFiles = {
  /** Of the one block. */
  idstr: Schema.String,
  /** Whether the pages lie in process memory, in such that threads share, or in a file. */
  store: Schema.Literals(["memory", "shared", "file"]),
  /** Whether there are lanes. */
  lanes: Schema.Boolean,
  /** The image that is written, or the file that is restored into. */
  target: Schema.String,
  ...common
}

const withSockets = {
  channels: Schema.Int,
  compression: Schema.Literals(methods),
  ...common
}

/** A save of a file with RAM, or a restore of the block from an image. */
export const FileJob = Schema.Union([
  Schema.Struct({ kind: Schema.tag("save"), ram: Schema.String, sealed: Schema.Boolean, ...withFiles }),
  Schema.Struct({ kind: Schema.tag("restore"), image: Schema.String, size: Schema.Int, ...withFiles })
])
export type FileJob = typeof FileJob.Type

/** An image that is sent to a port of this machine, or received at one. */
export const SocketJob = Schema.Union([
  Schema.Struct({ kind: Schema.tag("send"), image: Schema.String, to: Schema.String, ...withSockets }),
  Schema.Struct({ kind: Schema.tag("receive"), target: Schema.String, ...withSockets })
])
export type SocketJob = typeof SocketJob.Type

export const Job = Schema.Union([FileJob, SocketJob])
export type Job = typeof Job.Type

import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Path from "node:path"
import * as AtomicFile from "../../io/files/AtomicFile.ts"
import type { FileError } from "../../io/files/FileError.ts"
import * as FileIdentity from "../../io/files/FileIdentity.ts"
import * as FilePages from "../../io/files/FilePages.ts"
import * as PositionalFile from "../../io/files/PositionalFile.ts"
import type { Image } from "../../image/Image.ts"
import * as Problem from "../../ram/Problem.ts"
import { type MigrationRequestError, refuse } from "../../snapshot/MigrationRequestError.ts"
import type * as RamBlock from "../../ram/RamBlock.ts"
import type { BlockArgument } from "./blockArgument.ts"

const OTHER_FILE = "write to another file"
const OTHER_PLACE = "give each of them a separate place (offset=N)"

/** The destination of one block of an image. */
interface Target extends RamBlock.Shape {
  readonly path: string
  readonly offset: number
  /** Equal for all names of the file, existing or not. */
  readonly key: string
}

const targetOf =
  (image: Image) =>
  ({ idstr, length, offset = 0, path }: BlockArgument): Omit<Target, "key"> | Problem.Problem => {
    const block = image.blocks.find((candidate) => candidate.idstr === idstr)
    if (block === undefined) {
      const names = image.blocks.map((candidate) => candidate.idstr).join(", ")
      return Problem.make(`${image.path} has no block "${idstr}"`, `use one of its blocks: ${names}`)
    }
    const { pageSize, usedLength } = block
    return length !== undefined && length < usedLength
      ? Problem.make(`the block "${idstr}" does not fit into ${length} bytes`, `use ${usedLength} bytes or more`)
      : { idstr, usedLength, pageSize, offset, path: Path.resolve(path) }
  }

const overlap = (a: Target, b: Target): boolean =>
  a.key === b.key && a.offset < b.offset + b.usedLength && b.offset < a.offset + a.usedLength

/** The image is in that file, from its stream on; libvirt's header precedes it. */
const overwrites = (
  { format, machineState: { origin }, offset }: Image,
  { key, offset: start, usedLength }: Target
): boolean => {
  const from = format === "libvirt-sparse" ? 0 : offset
  return origin !== undefined && FileIdentity.key(origin) === key && start + usedLength > from
}

/** The conflicts of one target with the image and with earlier targets. */
const conflictsOf = (image: Image, target: Target, earlier: ReadonlyArray<Target>): ReadonlyArray<Problem.Problem> => [
  ...(overwrites(image, target)
    ? [Problem.make(`the block "${target.idstr}" would overwrite the image itself`, OTHER_FILE)]
    : []),
  ...earlier.flatMap((other) => {
    if (other.idstr === target.idstr)
      return [Problem.make(`the block "${target.idstr}" is given twice`, "give it once")]
    return overlap(other, target)
      ? [Problem.make(`the blocks "${other.idstr}" and "${target.idstr}" overlap in ${target.path}`, OTHER_PLACE)]
      : []
  })
]

/** Checks everything that can be known before any file is touched. */
const plan = Effect.fnUntraced(function* (
  image: Image,
  blocks: ReadonlyArray<BlockArgument>
): Effect.fn.Return<ReadonlyArray<Target>, FileError | MigrationRequestError> {
  const all = blocks.map(targetOf(image))
  const targets: ReadonlyArray<Target> = yield* Effect.forEach(
    all.filter((target) => "path" in target),
    (target) => Effect.map(FileIdentity.destination(target.path), ({ key }) => ({ ...target, key }))
  )
  yield* refuse("restore", [
    ...all.filter((target) => "remedy" in target),
    ...targets.flatMap((target, index) => conflictsOf(image, target, targets.slice(0, index)))
  ])
  return targets
})

/** Opening it for writing also detects what prevents that, before anything is written. */
const isMissing = (path: string): Effect.Effect<boolean, FileError> =>
  Effect.scoped(PositionalFile.open(path, { access: "read-write" })).pipe(
    Effect.as(false),
    Effect.catchTag("FileNotFoundError", () => Effect.succeed(true))
  )

const createMissing = Effect.fnUntraced(function* (
  targets: ReadonlyArray<Target>
): Effect.fn.Return<ReadonlyMap<string, AtomicFile.AtomicFile>, FileError, Scope.Scope> {
  const created = new Map<string, AtomicFile.AtomicFile>()
  for (const { key, path } of new Map(targets.map((target) => [target.key, target])).values()) {
    if (yield* isMissing(path)) created.set(key, yield* AtomicFile.make({ path }))
  }
  return created
})

/**
 * Runs a restore into the files of the command line. An existing file is written in place. A missing one gets its name
 * when it is complete and durable: a restore that fails, or is killed, never leaves a file that looks complete.
 *
 * @internal
 */
export const restoreInto = Effect.fnUntraced(function* <A, E, R>(
  image: Image,
  blocks: ReadonlyArray<BlockArgument>,
  restore: (blocks: ReadonlyArray<RamBlock.Writable<FileError>>) => Effect.Effect<A, E, R>
): Effect.fn.Return<A, E | FileError | MigrationRequestError | RamBlock.RamBlockError, R | Scope.Scope> {
  const targets = yield* plan(image, blocks)
  const created = yield* createMissing(targets)
  const open = ({ key, path, usedLength: length, ...target }: Target) =>
    FilePages.make({ ...target, length, path: created.get(key)?.path ?? path, access: "read-write" })
  const result = yield* Effect.scoped(Effect.flatMap(Effect.forEach(targets, open), restore))
  yield* Effect.forEach(created.values(), (file) => file.commit, { discard: true })
  return result
})

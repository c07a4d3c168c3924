import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../../ram/TaggedError.ts"
import type { FileError } from "../../io/files/FileError.ts"
import * as PositionalFile from "../../io/files/PositionalFile.ts"

/** A longer key is no safer, and more likely another file. */
const MAX_KEY_BYTES = 1024 * 1024

/**
 * The file does not contain the secret of a seal. Nothing was touched; the caller must name another file. Exit code 2.
 *
 * @internal
 */
export class KeyFileError extends TaggedError<KeyFileError>()("KeyFileError", {
  path: Schema.String,
  found: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 2
  override get message() {
    return `cannot use the key file ${this.path}: it is ${this.found}; use a file of 1 to ${MAX_KEY_BYTES} bytes`
  }
}

/**
 * Reads the secret of a seal: all bytes of a file.
 *
 * @internal
 */
export const read = (path: string): Effect.Effect<Uint8Array, FileError | KeyFileError> => {
  const refuse = (found: string) => new KeyFileError({ path, found })
  return Effect.gen(function* () {
    const file = yield* PositionalFile.open(path, { access: "read" })
    if ((yield* file.size) === Number.POSITIVE_INFINITY) return yield* refuse("a character device, which has no end")
    const bytes = new Uint8Array(MAX_KEY_BYTES + 1)
    const length = yield* file.read(0, bytes)
    if (length === 0) return yield* refuse("empty")
    if (length > MAX_KEY_BYTES) return yield* refuse("longer")
    return bytes.slice(0, length)
  }).pipe(
    Effect.scoped,
    Effect.catchTag("NotSeekableError", ({ kind }) => Effect.fail(refuse(`a ${kind}`)))
  )
}

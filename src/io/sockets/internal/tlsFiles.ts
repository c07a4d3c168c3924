import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { X509Certificate } from "node:crypto"
import * as Path from "node:path"
import { TlsError } from "../ConnectionError.ts"
import type { FileError } from "../../files/FileError.ts"
import * as PositionalFile from "../../files/PositionalFile.ts"
import type { Keys } from "./tlsCredentialsModel.ts"

/** Room for a hundred certificates or ten thousand keys. A wrong path must not fill the memory. */
const maxLength = 1024 * 1024

/**
 * @internal
 */
export const unusable = (path: string, detail: string): TlsError =>
  new TlsError({ peer: path, reason: "credentials", code: "EINVAL", detail })

const read = (path: string): Effect.Effect<string, TlsError | FileError> =>
  Effect.gen(function* () {
    const file = yield* PositionalFile.open(path, { access: "read" })
    const target = new Uint8Array(maxLength + 1)
    const length = yield* file.read(0, target)
    if (length > maxLength) return yield* unusable(path, `expected at most ${maxLength} bytes, found more`)
    return new TextDecoder().decode(target.subarray(0, length))
  }).pipe(Effect.scoped)

const failure = (path: string) => (error: TlsError | FileError) =>
  error._tag === "TlsError"
    ? error
    : new TlsError({ peer: path, reason: "credentials", code: error.code, cause: error })

/** OpenSSL skips what it cannot parse in a file of certificates: at least the first one must be valid. */
const checked = (path: string, text: string): Effect.Effect<string, TlsError> =>
  path.endsWith("-cert.pem")
    ? Effect.try({
        try: () => {
          void new X509Certificate(text)
          return text
        },
        catch: () => unusable(path, "expected a certificate in PEM form")
      })
    : Effect.succeed(text)

/**
 * Reads one of QEMU's files.
 *
 * @internal
 */
export const readPem = (directory: string, name: string): Effect.Effect<string, TlsError> => {
  const path = Path.join(directory, name)
  return Effect.flatMap(Effect.mapError(read(path), failure(path)), (text) => checked(path, text))
}

/**
 * Reads one of QEMU's files that may be missing.
 *
 * @internal
 */
export const readPemIfThere = (directory: string, name: string): Effect.Effect<string | undefined, TlsError> =>
  Effect.catchIf(
    readPem(directory, name),
    ({ code }) => code === "ENOENT",
    () => Effect.undefined
  )

const line = /^([^:]+):((?:[0-9a-f]{2})+)$/i

/**
 * Reads a file of keys. Empty lines and lines that begin with `#` are ignored.
 *
 * @internal
 */
export const readKeys = Effect.fnUntraced(function* (path: string): Effect.fn.Return<Keys, TlsError> {
  const text = yield* Effect.mapError(read(path), failure(path))
  const keys = new Map<string, Redacted.Redacted<Uint8Array>>()
  for (const [index, found] of text.split("\n").entries()) {
    const trimmed = found.trim()
    const match = line.exec(trimmed)
    const [, identity, key] = match ?? []
    if (identity !== undefined && key !== undefined) keys.set(identity, Redacted.make(Buffer.from(key, "hex")))
    else if (trimmed !== "" && !trimmed.startsWith("#")) {
      return yield* unusable(path, `line ${index + 1}: expected IDENTITY:HEXKEY`)
    }
  }
  if (keys.size === 0) return yield* unusable(path, "expected lines of IDENTITY:HEXKEY, found none")
  return keys
})

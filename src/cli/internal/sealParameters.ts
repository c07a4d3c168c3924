import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Algorithm } from "../../format/seal/Checksum.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type { SealOptions, VerifyOptions } from "../../image/Integrity.ts"
import * as Environment from "./environment.ts"
import * as KeyFile from "./keyFile.ts"

/**
 * The secret of a keyed seal.
 *
 * @internal
 */
export const keyFile = Flag.String("key-file").pipe(
  Flag.withMetavar("PATH"),
  Flag.withDescription(Environment.described("MULTIFD_KEY_FILE", "File with the secret key of the seal (hmac-sha256)")),
  Environment.optional("MULTIFD_KEY_FILE", Result.succeed)
)

const verifying = (name: string, what: string) =>
  Flag.Boolean(name).pipe(
    Flag.withDescription(`Verify the checksums of ${what} (default: yes); --no-${name} skips this`),
    Flag.withDefault(true)
  )

/**
 * The options of verifying reads.
 *
 * @internal
 */
export const verification = { verify: verifying("verify", "the image"), keyFile }

const seals = ["crc32", "sha256", "hmac-sha256", "none"] as const

const algorithm = Flag.Literals("seal", seals).pipe(
  Flag.withDescription(Environment.described("MULTIFD_SEAL", "Checksums to add; QEMU ignores them (default: crc32)")),
  Environment.optional("MULTIFD_SEAL", Environment.oneOf(seals))
)

/**
 * The checksums of a written image.
 *
 * @internal
 */
export const sealing = { seal: algorithm, keyFile }

/**
 * Keeps the data written by a failed operation.
 *
 * @internal
 */
export const keepPartial = Flag.Boolean("keep-partial").pipe(
  Flag.withoutNegation,
  Flag.withDescription("On failure, keep the temporary file for multifd recover"),
  Flag.withDefault(false)
)

type KeyError = FileError | KeyFile.KeyFileError

interface KeyFlags {
  readonly keyFile: Option.Option<string>
}

/** @internal */
export const readKey = ({ keyFile }: KeyFlags): Effect.Effect<Uint8Array | undefined, KeyError> =>
  Option.isNone(keyFile) ? Effect.undefined : KeyFile.read(keyFile.value)

/** @internal */
export const readVerification = (
  options: KeyFlags & { readonly verify: boolean }
): Effect.Effect<VerifyOptions, KeyError> => Effect.map(readKey(options), (key) => ({ verify: options.verify, key }))

/** @internal */
export const readSeal = (
  options: KeyFlags & { readonly seal: Option.Option<Algorithm | "none"> }
): Effect.Effect<SealOptions | false, KeyError> => {
  const algorithm = Option.getOrUndefined(options.seal)
  return algorithm === "none" ? Effect.succeed(false) : Effect.map(readKey(options), (key) => ({ algorithm, key }))
}

/**
 * The options of verifying an image from which another is made, which may have another secret.
 *
 * @internal
 */
export const sourceVerification = {
  verify: verifying("verify", "the source image"),
  sourceKeyFile: Flag.String("source-key-file").pipe(
    Flag.withMetavar("PATH"),
    Flag.withDescription("File with the secret key of the source image's seal"),
    Flag.optional
  )
}

/** @internal */
export const readSourceVerification = (options: {
  readonly verify: boolean
  readonly sourceKeyFile: Option.Option<string>
}): Effect.Effect<VerifyOptions, KeyError> =>
  readVerification({ verify: options.verify, keyFile: options.sourceKeyFile })

/**
 * Continues without pages that could not be recovered.
 *
 * @internal
 */
export const allowLost = Flag.Boolean("allow-lost").pipe(
  Flag.withoutNegation,
  Flag.withDescription("Accept a recovered image whose lost pages are zeros"),
  Flag.withDefault(false)
)

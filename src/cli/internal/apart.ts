import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Path from "node:path"
import type { FileError } from "../../io/files/FileError.ts"
import * as FileIdentity from "../../io/files/FileIdentity.ts"
import * as Problem from "../../ram/Problem.ts"
import { type MigrationRequestError, refuse } from "../../snapshot/MigrationRequestError.ts"

/** The flags that name irreplaceable files. */
export interface Flags {
  readonly keyFile?: Option.Option<string>
  readonly sourceKeyFile?: Option.Option<string>
  readonly tlsPsk?: Option.Option<string>
  readonly tlsDir?: Option.Option<string>
}

/** QEMU's names of the files with certificates and keys. */
const credentials = [
  "ca-cert.pem",
  "ca-crl.pem",
  "server-cert.pem",
  "server-key.pem",
  "client-cert.pem",
  "client-key.pem",
  "dh-params.pem"
]

type Paths = (path: string) => ReadonlyArray<string>

const itself: Paths = (path) => [path]
const credentialsIn: Paths = (directory) => credentials.map((name) => Path.join(directory, name))

const named = (flag: string, value: Option.Option<string> | undefined, paths: Paths) =>
  value !== undefined && Option.isSome(value) ? paths(value.value).map((path) => [flag, path] as const) : []

const inputsOf = ({ keyFile, sourceKeyFile, tlsDir, tlsPsk }: Flags): ReadonlyArray<readonly [string, string]> => [
  ...named("--key-file", keyFile, itself),
  ...named("--source-key-file", sourceKeyFile, itself),
  ...named("--tls-psk", tlsPsk, itself),
  ...named("--tls-dir", tlsDir, credentialsIn)
]

/** The identity of a path's file, if it can be determined. */
const keyOf = (path: string): Effect.Effect<string | undefined, FileError> =>
  FileIdentity.ofPath(path).pipe(Effect.map((stat) => (stat === undefined ? undefined : FileIdentity.key(stat))))

/**
 * Refuses to overwrite a file with a secret that the same command line reads, under any name. The operations themselves
 * check that outputs overlap neither images nor blocks; they do not see these files.
 *
 * @internal
 */
export const checkApart = Effect.fnUntraced(function* (
  operation: MigrationRequestError["operation"],
  outputs: ReadonlyArray<string>,
  flags: Flags
): Effect.fn.Return<void, FileError | MigrationRequestError> {
  const written = yield* Effect.forEach(outputs, (path) => Effect.map(keyOf(path), (key) => ({ path, key })))
  const problems: Array<Problem.Problem> = []
  for (const [flag, path] of inputsOf(flags)) {
    const key = yield* keyOf(path)
    for (const output of written) {
      if (key === undefined || key !== output.key) continue
      problems.push(Problem.make(`${output.path} is the file of ${flag}`, "write to another file"))
    }
  }
  yield* refuse(operation, problems)
})

import * as Flag from "effect/cli/Flag"
import * as Result from "effect/Result"
import * as MigrationUri from "../../io/sockets/MigrationUri.ts"
import { parsed } from "./parameters.ts"

const parse = (text: string): Result.Result<number, { readonly message: string }> =>
  Result.fromNullishOr(MigrationUri.parseSize(text), () => ({
    message: `${JSON.stringify(text)} is no number of bytes; use a number such as 4096, 0x1000 or 1.5k`
  }))

/**
 * A number of bytes.
 *
 * @internal
 */
export const bytes = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("BYTES"),
    Flag.mapEffect(parsed(`--${name}`, parse)),
    Flag.withDescription(description)
  )

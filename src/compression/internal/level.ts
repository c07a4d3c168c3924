import * as Effect from "effect/Effect"
import type { Codec } from "../Compression.ts"
import { CompressionLevelError } from "../CompressionError.ts"

/**
 * The requested level, or the default.
 *
 * @internal
 */
export const checkLevel = (
  { method, levels }: Pick<Codec, "method" | "levels">,
  level: number | undefined
): Effect.Effect<number, CompressionLevelError> => {
  const { min, max } = levels
  if (level === undefined) return Effect.succeed(levels.default)
  if (Number.isInteger(level) && level >= min && level <= max) return Effect.succeed(level)
  return Effect.fail(new CompressionLevelError({ method, minimum: min, maximum: max, found: level }))
}

import type * as Redacted from "effect/Redacted"

/**
 * Keys that both sides know, by identity.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Keys = ReadonlyMap<string, Redacted.Redacted<Uint8Array>>

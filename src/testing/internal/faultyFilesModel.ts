import * as Data from "effect/Data"

/**
 * The fault of a call.
 *
 * - `Fail`: fails with the errno of that name and does nothing; a `close` closes anyway, as in Linux.
 * - `Short`: a read or write handles at most `bytes` bytes; with 0, it reports that it did nothing. Other calls are
 *   done in full.
 * - `Delay`: runs that many turns of the event loop later, after any calls made in the meantime.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Fault = Data.TaggedEnum<{
  Fail: { readonly code: string }
  Short: { readonly bytes: number }
  Delay: { readonly turns: number }
}>

/**
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const Fault: Data.TaggedEnum.Constructor<Fault> = Data.taggedEnum<Fault>()

import * as Data from "effect/Data"

/**
 * What happens to a call.
 *
 * - `Fail`: it fails with the errno of that name and does nothing; a `close` closes all the same, as in Linux.
 * - `Short`: a read or write is done for `bytes` bytes at the most; with 0, it says that it did nothing. Other calls are
 *   done in full.
 * - `Delay`: it is done so many turns of the event loop later, and whatever was called meanwhile comes first.
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

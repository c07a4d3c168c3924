/**
 * Memory that direct I/O accepts.
 *
 * @since 0.1.0
 */

/**
 * The alignment, in bytes, that satisfies every device: of memory, file positions and lengths.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const alignment: number = 4096

/**
 * `length` zero bytes at the start of a memory page. Ordinary buffers are 16 bytes off and get `EINVAL` from `O_DIRECT`;
 * resizable ones are mapped by themselves, so that they begin with a page. Throws a `RangeError` where `length` is no number of
 * bytes, or more than the machine gives.
 *
 * **Example** (A buffer for direct reads)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { AlignedMemory, PositionalFile } from "effect-multifd/io"
 *
 * const first = Effect.gen(function* () {
 *   const file = yield* PositionalFile.open("/dev/vda", { access: "read", directIo: true })
 *   const page = AlignedMemory.make(4096)
 *   yield* file.read(0, page)
 *   return page
 * }).pipe(Effect.scoped)
 * ```
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = (length: number): Uint8Array<ArrayBuffer> => {
  // A buffer of NaN or undefined bytes would be an empty one.
  if (!Number.isSafeInteger(length)) throw new RangeError(`expected a number of bytes, found ${String(length)}`)
  return new Uint8Array(new ArrayBuffer(length, { maxByteLength: length }), 0, length)
}

/**
 * Whether the bytes are known to begin at a multiple of `alignment` in memory. Addresses are not to be had, so this goes
 * by the kind of buffer: `false` for an ordinary buffer that is aligned by chance, and for `WebAssembly.Memory`, which is
 * aligned but cannot be told from an ordinary buffer. `false`, too, for what is no array, such as a `Proxy` of one.
 *
 * @stability unstable
 * @category guards
 * @since 0.1.0
 */
export const isAligned = (bytes: Uint8Array): boolean => {
  if (!ArrayBuffer.isView(bytes)) return false
  const { buffer, byteOffset } = bytes
  const mapped = buffer instanceof SharedArrayBuffer ? buffer.growable : buffer.resizable
  return mapped && byteOffset % alignment === 0
}

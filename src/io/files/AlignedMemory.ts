/**
 * Memory that direct I/O accepts.
 *
 * @since 0.1.0
 */

/**
 * The alignment of memory, file positions and lengths, in bytes, that satisfies every device.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const alignment: number = 4096

/**
 * Allocates `length` zero bytes at the start of a memory page. Ordinary buffers are 16 bytes off and get `EINVAL` from
 * `O_DIRECT`; resizable ones are mapped separately, so they begin with a page. Throws a `RangeError` if `length` is not
 * a number of bytes, or more than the machine can provide.
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
  // A length of NaN or undefined would make an empty buffer.
  if (!Number.isSafeInteger(length)) throw new RangeError(`expected a number of bytes, found ${String(length)}`)
  return new Uint8Array(new ArrayBuffer(length, { maxByteLength: length }), 0, length)
}

/**
 * `true` if the bytes are known to begin at a multiple of `alignment` in memory. Addresses are not available, so the
 * kind of buffer decides. `false` for an ordinary buffer that is aligned by chance, for `WebAssembly.Memory`, which is
 * aligned but indistinguishable from an ordinary buffer, and for anything that is not an array, such as a `Proxy` of
 * one.
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

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
 * Allocates `length` zero bytes that threads can share, for RAM that is restored into process memory: lanes read
 * straight into it, and the kernel may give it pages of 2 MiB.
 *
 * **Details**
 *
 * Fresh memory in pages of 4 KiB takes three to four times as long to touch as the bytes take to read. Huge pages need
 * glibc's tunable in the environment of the process, `GLIBC_TUNABLES=glibc.malloc.hugetlb=1`, and a kernel whose
 * `/sys/kernel/mm/transparent_hugepage/enabled` is `madvise` or `always`. Elsewhere this is ordinary shared memory.
 *
 * **Gotchas**
 *
 * Growable shared buffers and `WebAssembly.Memory` get no huge pages from the tunable, since V8 maps them itself. The
 * bytes are not aligned for direct I/O. Throws a `RangeError` as `make` does.
 *
 * **Example** (Restoring into new memory)
 *
 * ```ts
 * import { MemoryPages } from "effect-multifd"
 * import { AlignedMemory } from "effect-multifd/io"
 *
 * const ram = MemoryPages.make({ idstr: "pc.ram", memory: AlignedMemory.makeHuge(2 ** 30), fresh: true })
 * ```
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const makeHuge = (length: number): Uint8Array<SharedArrayBuffer> => {
  if (!Number.isSafeInteger(length)) throw new RangeError(`expected a number of bytes, found ${String(length)}`)
  return new Uint8Array(new SharedArrayBuffer(length))
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

/**
 * RAM blocks with their pages in process memory.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { placeOf } from "./internal/memoryPlace.ts"
import type { PageReader } from "./PageReader.ts"
import type { PageWriter } from "./PageWriter.ts"
import * as RamBlock from "./RamBlock.ts"
import * as ZeroPages from "./ZeroPages.ts"
import type { Options } from "./internal/memoryPagesModel.ts"

export type { GrowableMemory, Memory, Options } from "./internal/memoryPagesModel.ts"

/**
 * Makes a block over process memory. Nothing is copied: system calls get views of the memory.
 *
 * **Details**
 *
 * Fails with `RamBlockError` if a migration cannot carry the name, length or page size, if the range is outside the
 * memory, or if `memory` is not memory: `undefined`, a detached buffer, a `Proxy`. Resizable and shared buffers work.
 * So does memory that grows later: the block keeps its range and finds the new buffer.
 *
 * **Gotchas**
 *
 * Growing a `WebAssembly.Memory` detaches every view of the old buffer. Pass the memory itself rather than a view, with
 * `byteOffset` and `byteLength` if the block is a part of it. Do not grow it during a save or restore: calls in flight
 * hold views. Using memory that was later shrunk, transferred or detached is a defect, not a typed error.
 *
 * Some emulators expose their RAM through a `Proxy` that looks like a `Uint8Array` (the `mem8` of v86). It is refused,
 * because each byte read through it is a function call. Pass the underlying memory, with the proxy's own `byteOffset`
 * and `byteLength`.
 *
 * **Example** (The memory of a WebAssembly machine)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { MemoryPages } from "effect-multifd"
 *
 * const program = Effect.gen(function* () {
 *   const memory = new Uint8Array(16 * 1024 * 1024)
 *   return yield* MemoryPages.make({ idstr: "pc.ram", memory })
 * })
 * ```
 *
 * **Example** (Guest RAM inside the memory of an emulator)
 *
 * ```ts
 * import { MemoryPages } from "effect-multifd"
 *
 * export const ramOf = (memory: MemoryPages.GrowableMemory, mem8: Uint8Array) =>
 *   MemoryPages.make({ idstr: "pc.ram", memory, byteOffset: mem8.byteOffset, byteLength: mem8.byteLength })
 * ```
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<RamBlock.RamBlock, RamBlock.RamBlockError> =>
  Effect.flatMap(placeOf(options), ({ buffer, length, start }) => {
    const view: View = (offset, length) => new Uint8Array(buffer(), start + offset, length)
    return RamBlock.validate({
      idstr: options.idstr,
      usedLength: length,
      pageSize: options.pageSize ?? RamBlock.defaultPageSize,
      reader: reader(view),
      writer: writer(view, options.fresh ?? false)
    })
  })

type View = (offset: number, length: number) => Uint8Array

const reader = (view: View): PageReader => ({
  present: undefined,
  view,
  readInto: (offset, target) => Effect.sync(() => target.set(view(offset, target.length)))
})

const writer = (view: View, fresh: boolean): PageWriter => ({
  fresh,
  view,
  write: (offset, data) => Effect.sync(() => view(offset, data.length).set(data)),
  zero: (offset, length) => zero(view, offset, length),
  sync: Effect.void
})

/**
 * Bytes zeroed between two yields to the event loop: about a millisecond if pages must be filled, several if the kernel
 * must provide them first.
 */
const zeroAtOnce = 4 * 1024 * 1024

/** Bytes checked before they are filled, so that untouched memory stays untouched and takes no page of the host. */
const zeroPiece = 64 * 1024

const zero = (view: View, offset: number, length: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const now = Math.min(length, zeroAtOnce)
    const data = view(offset, now)
    for (let at = 0; at < now; at += zeroPiece) {
      const end = Math.min(at + zeroPiece, now)
      if (!ZeroPages.isZero(data, at, end)) data.fill(0, at, end)
    }
    return now === length ? Effect.void : Effect.andThen(Effect.yieldNow, zero(view, offset + now, length - now))
  })

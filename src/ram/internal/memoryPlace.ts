import * as Effect from "effect/Effect"
import { types } from "node:util"
import type { Options } from "./memoryPagesModel.ts"
import { RamBlockError } from "../RamBlock.ts"

/**
 * The location of a block's bytes. The buffer is looked up on each use, because memory that grows gets a new one.
 *
 * @internal
 */
export interface Place {
  readonly buffer: () => ArrayBufferLike
  readonly start: number
  readonly length: number
}

type Property = RamBlockError["property"]

const expectedMemory =
  "a Uint8Array, an ArrayBuffer, a SharedArrayBuffer or a WebAssembly.Memory: the memory itself, of which byteOffset and " +
  "byteLength can name a range"

/** Describes the value that a caller without types has passed. */
const describe = (value: unknown): string => {
  if (types.isProxy(value)) return "a Proxy"
  if (value === null || value === undefined) return String(value)
  if (typeof value !== "object") return `a ${typeof value}`
  const name: unknown = value.constructor?.name
  if (typeof name !== "string" || name === "") return "an object"
  return `${/^[AEIOU](?!int)/.test(name) ? "an" : "a"} ${name}`
}

/**
 * The buffer of the remaining kinds of memory. Proxies fail here as well: each byte would be a function call, and
 * writes to a copy that the proxy returns are lost.
 */
const bufferOf = (memory: unknown): (() => ArrayBufferLike) | string => {
  if (types.isProxy(memory) || typeof memory !== "object" || memory === null) return describe(memory)
  const owner: { readonly buffer?: unknown } = memory
  if (owner.buffer === undefined) return describe(memory)
  return types.isAnyArrayBuffer(owner.buffer)
    ? () => owner.buffer as ArrayBufferLike
    : `${describe(memory)} whose buffer is ${describe(owner.buffer)}`
}

const locate = (memory: unknown): Place | string => {
  if (ArrayBuffer.isView(memory)) {
    return { buffer: () => memory.buffer, start: memory.byteOffset, length: memory.byteLength }
  }
  if (types.isAnyArrayBuffer(memory)) return { buffer: () => memory, start: 0, length: memory.byteLength }
  try {
    const buffer = bufferOf(memory)
    return typeof buffer === "string" ? buffer : { buffer, start: 0, length: buffer().byteLength }
  } catch (cause) {
    return `${describe(memory)} whose buffer cannot be read: ${String(cause)}`
  }
}

const isDetached = (buffer: ArrayBufferLike): boolean => "detached" in buffer && buffer.detached

const isBytes = (value: unknown, most: number): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= most

/**
 * The range of the memory that is the block.
 *
 * @internal
 */
export const placeOf = (options: Options): Effect.Effect<Place, RamBlockError> => {
  const { byteLength, byteOffset = 0, idstr, memory } = options
  const fail = (property: Property, expected: string, found: string): Effect.Effect<never, RamBlockError> =>
    Effect.fail(new RamBlockError({ idstr: String(idstr), property, expected, found }))
  const whole = locate(memory)
  if (typeof whole === "string") return fail("memory", expectedMemory, whole)
  if (isDetached(whole.buffer())) return fail("memory", expectedMemory, "a buffer that is detached")
  const inside = `inside the ${whole.length} bytes of the memory`
  if (!isBytes(byteOffset, whole.length)) return fail("byteOffset", `whole bytes ${inside}`, String(byteOffset))
  const room = whole.length - byteOffset
  const { buffer, start } = whole
  if (byteLength === undefined) return Effect.succeed({ buffer, start: start + byteOffset, length: room })
  if (!isBytes(byteLength, room)) {
    return fail("byteLength", `whole bytes, no more than ${room} from ${byteOffset} on, ${inside}`, String(byteLength))
  }
  return Effect.succeed({ buffer, start: start + byteOffset, length: byteLength })
}

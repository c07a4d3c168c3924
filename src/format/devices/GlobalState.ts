/**
 * The run state of a machine when it was saved: the section `globalstate`, which QEMU writes last.
 *
 * ```text
 *   0  u32   length of the name, its zero byte included
 *   4  100   the name, zeros behind it
 * ```
 *
 * @since 0.1.0
 */
import type { DeviceSection } from "./DeviceState.ts"

const SECTION = "globalstate"
const NAME_AT = 4
const MAX_NAME_BYTES = 100

/** Names of QEMU's `RunState`, in the form that later versions use as well. */
const NAME = /^[a-z][a-z0-9-]*$/

/**
 * Decodes the data of the section: QEMU's `RunState`, such as `running` or `shutdown`. `undefined` if there is no name.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decode = (data: Uint8Array): string | undefined => {
  if (data.length < NAME_AT) return undefined
  const length = new DataView(data.buffer, data.byteOffset).getUint32(0)
  const bytes = data.subarray(NAME_AT, NAME_AT + Math.min(length, MAX_NAME_BYTES))
  const end = bytes.indexOf(0)
  const name = Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString("latin1")
  return NAME.test(name) ? name : undefined
}

/**
 * The run state in the sections of a machine. `undefined` if no section has one: memory that is not from QEMU, and some
 * machine types up to 2.3.
 *
 * **Example** (A guest that was shut down)
 *
 * ```ts
 * import { GlobalState } from "effect-multifd/format"
 *
 * const data = new Uint8Array(104)
 * data.set(new TextEncoder().encode("shutdown"), 4)
 * data[3] = 9
 * GlobalState.find([{ name: "globalstate", instanceId: 0, version: 1, sectionId: 40, data }]) // => "shutdown"
 * ```
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const find = (sections: ReadonlyArray<DeviceSection>): string | undefined => {
  const section = sections.findLast(({ name }) => name === SECTION)
  return section === undefined ? undefined : decode(section.data)
}

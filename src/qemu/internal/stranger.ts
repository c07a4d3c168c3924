import type { Problem } from "./objectSplitterModel.ts"

/** Enough bytes of unexpected data to recognise it. */
const EXCERPT_BYTES = 60

/** A telnet server begins by negotiating: with a byte that no text has. */
const INTERPRET_AS_COMMAND = 0xff
const BANNER = /^QEMU \S+ monitor - /

const WAY_OUT = "QEMU has a QMP monitor with -qmp unix:PATH,server=on,wait=off"

/**
 * Identifies a service that does not speak QMP, by its first bytes.
 *
 * @internal
 */
export const problemOf = (bytes: Uint8Array): Problem => {
  const text = new TextDecoder().decode(bytes.subarray(0, EXCERPT_BYTES))
  if (bytes[0] === INTERPRET_AS_COMMAND) {
    return { expected: "a QMP monitor", found: `a telnet server; ${WAY_OUT}` }
  }
  if (BANNER.test(text)) {
    return { expected: "a QMP monitor", found: `QEMU's human monitor (-monitor); ${WAY_OUT}` }
  }
  return { expected: "a JSON object", found: JSON.stringify(text) }
}

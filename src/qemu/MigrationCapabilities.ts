/**
 * QEMU's migration capabilities, all of them off by default.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/** Each capability of QEMU 8.1 to 11, with its effect. */
const table = {
  "auto-converge": "slows the guest down when it dirties memory faster than it is moved",
  "background-snapshot": "saves memory as it was at the start while the guest keeps running",
  "dirty-bitmaps": "moves the dirty bitmaps of block devices along",
  "dirty-limit": "slows down the virtual processors that dirty memory; needs KVM with a dirty ring",
  events: "reports each new status and each pass as an event",
  "late-block-activate": "activates block devices only when the guest resumes",
  "mapped-ram": "gives each page a fixed offset in a file",
  multifd: "moves pages over several channels",
  "pause-before-switchover": "waits for `migrate-continue` when the guest is stopped",
  "postcopy-blocktime": "measures how long processors wait for pages",
  "postcopy-preempt": "gives urgent pages a separate channel; needs postcopy-ram",
  "postcopy-ram": "lets the guest run at the destination before its memory has arrived",
  "rdma-pin-all": "pins all memory for RDMA",
  "release-ram": "frees memory after sending it",
  "return-path": "lets the destination answer",
  "switchover-ack": "waits for the destination before the switchover; needs return-path",
  "validate-uuid": "checks that both machines have the same UUID",
  "x-colo": "keeps two machines in step",
  "x-ignore-shared": "skips shared memory",
  xbzrle: "sends the changes of a page",
  "zero-blocks": "gone in 11.1",
  "zero-copy-send": "sends pages from memory without copying"
} as const

/**
 * A capability's name.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Capability = keyof typeof table

/**
 * All names, in alphabetical order.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const names: ReadonlyArray<Capability> = Object.keys(table) as ReadonlyArray<Capability>

/**
 * A short description of each capability.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const meanings: Readonly<Record<Capability, string>> = table

/**
 * The first version of QEMU observed to have dropped a capability.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const until: Readonly<Record<string, readonly [major: number, minor: number]>> = { "zero-blocks": [11, 1] }

/**
 * Schema of a capability's name.
 *
 * @stability unstable
 * @category schemas
 * @since 0.1.0
 */
export const Capability = Schema.Literals(names)

const switches = Object.fromEntries(names.map((name) => [name, Schema.optionalKey(Schema.Boolean)])) as {
  readonly [Name in Capability]: Schema.optionalKey<typeof Schema.Boolean>
}

/**
 * Capabilities and their states. A missing one is off.
 *
 * @stability unstable
 * @category schemas
 * @since 0.1.0
 */
export const Capabilities = Schema.Struct(switches)

/**
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Capabilities = typeof Capabilities.Type

/**
 * One of QEMU's rules about two capabilities.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Rule {
  readonly capability: Capability
  readonly kind: "excludes" | "needs"
  readonly other: Capability
  /** The first version of QEMU observed with the rule; `undefined`: every version has it. */
  readonly since?: readonly [major: number, minor: number] | undefined
  /** The first version of QEMU without the rule; `undefined`: every version has it. */
  readonly until?: readonly [major: number, minor: number] | undefined
}

const excludes = (capability: Capability, ...others: ReadonlyArray<Capability>): ReadonlyArray<Rule> =>
  others.map((other) => ({ capability, kind: "excludes", other }))

/**
 * QEMU's rules, each checked with a real one. They apply at the source and at the destination.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const rules: ReadonlyArray<Rule> = [
  ...excludes("multifd", "xbzrle"),
  { capability: "multifd", kind: "excludes", other: "postcopy-ram", until: [10, 1] },
  ...excludes("mapped-ram", "xbzrle", "postcopy-ram"),
  ...excludes("postcopy-ram", "x-ignore-shared"),
  ...excludes("dirty-limit", "auto-converge"),
  ...excludes(
    "background-snapshot",
    "auto-converge",
    "dirty-bitmaps",
    "late-block-activate",
    "multifd",
    "pause-before-switchover",
    "postcopy-blocktime",
    "postcopy-ram",
    "rdma-pin-all",
    "release-ram",
    "return-path",
    "validate-uuid",
    "x-colo",
    "xbzrle",
    "zero-copy-send"
  ),
  { capability: "postcopy-preempt", kind: "needs", other: "postcopy-ram" },
  { capability: "switchover-ack", kind: "needs", other: "return-path" },
  { capability: "x-colo", kind: "needs", other: "return-path", since: [11, 1] },
  { capability: "zero-copy-send", kind: "needs", other: "multifd" },
  ...excludes("zero-copy-send", "xbzrle")
]

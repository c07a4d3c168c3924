/**
 * QEMU's migration parameters.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { defaultPageSize } from "../ram/RamBlock.ts"

/** One parameter: its valid values, and its default. */
interface Definition<S extends Schema.Top = Schema.Top> {
  readonly schema: S
  readonly expected: string
  readonly initial: S["Type"]
}

const define = <S extends Schema.Top>(schema: S, expected: string, initial: S["Type"]): Definition<S> => ({
  schema,
  expected,
  initial
})

const integer = (minimum: number, maximum: number, initial: number, unit = "") =>
  define(
    Schema.Int.check(Schema.isBetween({ minimum, maximum })),
    `a whole number${unit} from ${minimum} to ${maximum}`,
    initial
  )

const percent = (minimum: number, maximum: number, initial: number) => integer(minimum, maximum, initial, " of percent")

const milliseconds = (minimum: number, maximum: number, initial: number) =>
  integer(minimum, maximum, initial, " of milliseconds")

const UINT64_MAX = 2n ** 64n - 1n

/** QEMU's `size` and `uint64`: a bigint if a double cannot hold it. */
const uint64 = (initial: number, minimum = 0) =>
  define(
    Schema.Union([
      Schema.Int.check(Schema.isBetween({ minimum, maximum: Number.MAX_SAFE_INTEGER })),
      Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: BigInt(minimum), maximum: UINT64_MAX }))
    ]),
    `a whole number from ${minimum} to 2^64 - 1`,
    initial
  )

const UINT32_MAX = 2 ** 32 - 1

/** By its bits, because the logarithm of a large number is rounded. */
const isCacheSize = (size: number): boolean =>
  size >= defaultPageSize && Number.isSafeInteger(size) && (BigInt(size) & (BigInt(size) - 1n)) === 0n

const cacheSize = define(
  Schema.Int.check(Schema.makeFilter(isCacheSize)),
  `a power of two, at least ${defaultPageSize}`,
  64 * 1024 * 1024
)

const chunkSizes = Array.from({ length: 11 }, (_, power) => 2 ** power * 1024 * 1024)

const chunkSize = define(Schema.Literals(chunkSizes), "a power of two from 1 MiB to 1 GiB", 1024 * 1024)

const texts = define(Schema.Array(Schema.String), "a list of strings", [])

const boolean = define(Schema.Boolean, "true or false", false)

/** `null` resets it. */
const text = define(Schema.NullOr(Schema.String), "text", "")

const choice = <const Names extends ReadonlyArray<string>>(names: Names, initial: Names[number]) =>
  define(Schema.Literals(names), `one of ${names.join(", ")}`, initial)

const definitions = {
  "announce-initial": milliseconds(0, 100_000, 50),
  "announce-max": milliseconds(0, 100_000, 550),
  "announce-rounds": integer(0, 1000, 5),
  "announce-step": milliseconds(1, 10_000, 100),
  "avail-switchover-bandwidth": uint64(0),
  "cpr-exec-command": texts,
  "cpu-throttle-increment": percent(1, 99, 10),
  "cpu-throttle-initial": percent(1, 99, 20),
  "cpu-throttle-tailslow": boolean,
  "direct-io": boolean,
  "downtime-limit": milliseconds(0, 2_000_000, 300),
  "max-bandwidth": uint64(128 * 1024 * 1024),
  "max-cpu-throttle": percent(1, 99, 99),
  "max-postcopy-bandwidth": uint64(0),
  mode: choice(["normal", "cpr-reboot", "cpr-transfer", "cpr-exec"], "normal"),
  "multifd-channels": integer(1, 255, 2),
  "multifd-compression": choice(["none", "zlib", "zstd", "qatzip", "qpl", "uadk"], "none"),
  "multifd-qatzip-level": integer(1, 9, 1),
  "multifd-zlib-level": integer(0, 9, 1),
  "multifd-zstd-level": integer(0, 20, 1),
  "throttle-trigger-threshold": percent(1, 100, 50),
  "tls-authz": text,
  "tls-creds": text,
  "tls-hostname": text,
  "vcpu-dirty-limit": uint64(1, 1),
  "x-checkpoint-delay": milliseconds(0, UINT32_MAX, 20_000),
  "x-rdma-chunk-size": chunkSize,
  "x-vcpu-dirty-limit-period": milliseconds(1, 1000, 1000),
  "xbzrle-cache-size": cacheSize,
  "zero-page-detection": choice(["none", "legacy", "multifd"], "multifd")
} as const

type Definitions = typeof definitions

/**
 * A parameter's name.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Parameter = keyof Definitions

/**
 * All names, in alphabetical order, except `block-bitmap-mapping`: it concerns only block devices.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const names: ReadonlyArray<Parameter> = Object.keys(definitions) as ReadonlyArray<Parameter>

/**
 * The first version of QEMU observed with a parameter, or a value of one (`name=value`), that 10.0 does not know.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const since: Readonly<Record<string, readonly [major: number, minor: number]>> = {
  "cpr-exec-command": [11, 1],
  "mode=cpr-exec": [11, 1],
  "x-rdma-chunk-size": [11, 1]
}

/**
 * Schema of a parameter's name.
 *
 * @stability unstable
 * @category schemas
 * @since 0.1.0
 */
export const Parameter = Schema.Literals(names)

/**
 * The valid values of each parameter, in words.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const expectations: Readonly<Record<Parameter, string>> = Object.fromEntries(
  names.map((name) => [name, definitions[name].expected])
) as Record<Parameter, string>

const fields = Object.fromEntries(names.map((name) => [name, Schema.optionalKey(definitions[name].schema)])) as {
  readonly [Name in Parameter]: Schema.optionalKey<Definitions[Name]["schema"]>
}

/**
 * Parameters by name. Missing ones are unchanged.
 *
 * **Details**
 *
 * - `announce-initial`, `announce-max`, `announce-step`, `announce-rounds`: announcement of the guest's new place to
 *   the network by the destination; milliseconds
 * - `max-bandwidth`, `avail-switchover-bandwidth`, `max-postcopy-bandwidth`: bytes per second; 0 is unlimited, or
 *   unknown
 * - `downtime-limit`: milliseconds
 * - `cpu-throttle-*`, `max-cpu-throttle`, `throttle-trigger-threshold`: percent
 * - `vcpu-dirty-limit`: MB per second; `x-vcpu-dirty-limit-period`, `x-checkpoint-delay`: milliseconds
 * - `xbzrle-cache-size`, `x-rdma-chunk-size`: bytes, a power of two
 * - `cpr-exec-command`: the program that takes over, with its arguments
 * - `tls-creds`, `tls-authz`: ids of QEMU's objects; `tls-hostname`: the name in the certificate
 *
 * QEMU accepts -1 for the largest number of 64 bits, which is refused here.
 *
 * @stability unstable
 * @category schemas
 * @since 0.1.0
 */
export const Parameters = Schema.Struct(fields)

/**
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Parameters = typeof Parameters.Type

/**
 * Every parameter with its value.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type AllParameters = { readonly [Name in Parameter]: Definitions[Name]["schema"]["Type"] }

/**
 * The defaults. Machine types up to 8.2 have `legacy` for `zero-page-detection`.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const defaults: AllParameters = Object.fromEntries(
  names.map((name) => [name, definitions[name].initial])
) as AllParameters

/**
 * Schema of one parameter's value.
 *
 * @stability unstable
 * @category schemas
 * @since 0.1.0
 */
export const schemaOf = <Name extends Parameter>(name: Name): Definitions[Name]["schema"] => definitions[name].schema

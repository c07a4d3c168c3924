/**
 * Capabilities and parameters together: validates them by QEMU's rules and reports all problems.
 *
 * ```text
 *   names ──▶ values ──▶ capabilities with each other ──▶ with parameters ──▶ with the transport
 *     │          │                    │                         │                    │
 *     └──────────┴──────── problems ──┴─────────────────────────┴────────────────────┘──▶ one error
 * ```
 *
 * @since 0.1.0
 */
import * as Formatter from "effect/Formatter"
import * as Result from "effect/Result"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../ram/TaggedError.ts"
import * as MigrationCapabilities from "./MigrationCapabilities.ts"
import * as MigrationParameters from "./MigrationParameters.ts"

/**
 * The transport of the migration, by the scheme of its URI.
 *
 * @stability unstable
 * @category schemas
 * @since 0.1.0
 */
export const Transport = Schema.Literals(["tcp", "unix", "vsock", "file", "exec", "fd", "rdma"])

/**
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Transport = typeof Transport.Type

/**
 * The settings as given: from a file, a command line, another program.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Input {
  /** By name; missing ones are off. */
  readonly capabilities?: Readonly<Record<string, unknown>> | undefined
  /** By name; missing ones have their defaults. */
  readonly parameters?: Readonly<Record<string, unknown>> | undefined
}

/**
 * The environment of the settings.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Context {
  /** The transport of the migration. Default: unknown, and not checked. */
  readonly transport?: Transport | undefined
  /** The version of QEMU whose rules apply. Default 10.0. */
  readonly version?: { readonly major: number; readonly minor: number } | undefined
  /** `true` if the guest runs under KVM with a dirty ring. Default `false`. */
  readonly dirtyRing?: boolean | undefined
}

/**
 * Settings that QEMU accepts.
 *
 * @stability unstable
 * @category schemas
 * @since 0.1.0
 */
export const Settings = Schema.Struct({
  capabilities: MigrationCapabilities.Capabilities,
  parameters: MigrationParameters.Parameters
})

/**
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Settings = typeof Settings.Type

/**
 * One problem.
 *
 * @stability unstable
 * @category schemas
 * @since 0.1.0
 */
export const Problem = Schema.Struct({
  /** The capability or parameter. */
  setting: Schema.String,
  /** QEMU's rule in short: `multifd excludes xbzrle`, `multifd-channels: a whole number from 1 to 255`. */
  rule: Schema.String,
  /** The actual setting. */
  found: Schema.String
})

/**
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Problem = typeof Problem.Type

/**
 * Capabilities or parameters that QEMU would refuse, with all problems.
 *
 * **Details**
 *
 * Detected before anything was sent. Exit code 2.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export class MigrationSettingsError extends TaggedError<MigrationSettingsError>()("MigrationSettingsError", {
  problems: Schema.NonEmptyArray(Problem)
}) {
  override readonly [Runtime.errorExitCode] = 2
  override get message(): string {
    return `cannot use these migration settings: ${this.problems.map(({ found, rule }) => `${rule} (found ${found})`).join("; ")}`
  }
}

type Problems = ReadonlyArray<Problem>

const FOUND_CHARACTERS = 60

/** Formats a value for a message. */
const show = (value: unknown): string => Formatter.format(value).slice(0, FOUND_CHARACTERS)

const isKnown = <Name extends string>(names: ReadonlyArray<Name>, name: string): name is Name =>
  (names as ReadonlyArray<string>).includes(name)

const checkCapabilities = (capabilities: Readonly<Record<string, unknown>>): Problems =>
  Object.entries(capabilities).flatMap(([setting, value]) => {
    if (!isKnown(MigrationCapabilities.names, setting)) {
      return [{ setting, rule: "QEMU must know the capability", found: show(setting) }]
    }
    return typeof value === "boolean" ? [] : [{ setting, rule: `${setting}: true or false`, found: show(value) }]
  })

const checkParameters = (parameters: Readonly<Record<string, unknown>>): Problems =>
  Object.entries(parameters).flatMap(([setting, value]) => {
    if (!isKnown(MigrationParameters.names, setting)) {
      return [{ setting, rule: "QEMU must know the parameter", found: show(setting) }]
    }
    if (Schema.is(MigrationParameters.schemaOf(setting))(value)) return []
    return [{ setting, rule: `${setting}: ${MigrationParameters.expectations[setting]}`, found: show(value) }]
  })

const isBefore = ({ major, minor }: { major: number; minor: number }, [max, min]: readonly [number, number]): boolean =>
  major < max || (major === max && minor < min)

/** The enabled capabilities, and the value of each parameter. */
interface Facts {
  readonly isOn: (name: MigrationCapabilities.Capability) => boolean
  readonly parameter: (name: MigrationParameters.Parameter) => unknown
}

const ruleText = ({ capability, kind, other }: MigrationCapabilities.Rule): string => `${capability} ${kind} ${other}`

const isBroken = ({ capability, kind, other }: MigrationCapabilities.Rule, { isOn }: Facts): boolean =>
  isOn(capability) && isOn(other) === (kind === "excludes")

const versionOf = ({ version = { major: 10, minor: 0 } }: Context) => version

/** The entry of a table for an arbitrary name. */
const own = <A>(table: Readonly<Record<string, A>>, name: string): A | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined

/** Settings that the version does not have yet, or no longer has. */
const checkVersion = ({ capabilities = {}, parameters = {} }: Input, context: Context): Problems => {
  const version = versionOf(context)
  const found = `${version.major}.${version.minor}`
  const gone = Object.keys(capabilities).flatMap((setting) => {
    const until = own(MigrationCapabilities.until, setting)
    if (until === undefined || isBefore(version, until)) return []
    return [{ setting, rule: `${setting}: QEMU before ${until.join(".")}`, found }]
  })
  const early = Object.entries(parameters).flatMap(([setting, value]) =>
    [setting, ...(typeof value === "string" ? [`${setting}=${value}`] : [])].flatMap((name) => {
      const since = own(MigrationParameters.since, name)
      if (since === undefined || !isBefore(version, since)) return []
      return [{ setting, rule: `${name}: QEMU ${since.join(".")} or later`, found }]
    })
  )
  return [...gone, ...early]
}

const checkCombinations = (facts: Facts, context: Context): Problems => [
  ...MigrationCapabilities.rules
    .filter(({ until }) => until === undefined || isBefore(versionOf(context), until))
    .filter(({ since }) => since === undefined || !isBefore(versionOf(context), since))
    .filter((rule) => isBroken(rule, facts))
    .map((rule) => ({
      setting: rule.capability,
      rule: ruleText(rule),
      found: rule.kind === "excludes" ? "both" : `no ${rule.other}`
    })),
  ...(facts.isOn("dirty-limit") && context.dirtyRing !== true
    ? [{ setting: "dirty-limit", rule: "dirty-limit needs KVM with a dirty ring", found: "none" }]
    : [])
]

/** Capabilities that need unmodified pages, in memory or in a file. */
const plain = ["zero-copy-send", "mapped-ram"] as const

const checkPlain = ({ isOn, parameter }: Facts): Problems => {
  const method = parameter("multifd-compression")
  const credentials = parameter("tls-creds")
  return plain
    .filter(isOn)
    .flatMap((setting) => [
      ...(method === "none" ? [] : [{ setting, rule: `${setting} excludes compression`, found: show(method) }]),
      ...(credentials === "" || credentials === null
        ? []
        : [{ setting, rule: `${setting} excludes TLS`, found: show(credentials) }])
    ])
}

const checkThrottle = ({ parameter }: Facts): Problems => {
  const initial = parameter("cpu-throttle-initial") as number
  const maximum = parameter("max-cpu-throttle") as number
  return maximum >= initial
    ? []
    : [
        {
          setting: "max-cpu-throttle",
          rule: "max-cpu-throttle: not less than cpu-throttle-initial",
          found: `${maximum}, where cpu-throttle-initial is ${initial}`
        }
      ]
}

/** Transports that support more than one connection. */
const multiChannel: ReadonlySet<Transport> = new Set<Transport>(["tcp", "unix", "vsock"])

const checkTransport = ({ isOn }: Facts, { transport }: Context): Problems => {
  if (transport === undefined) return []
  const found = `${transport}:`
  if (isOn("mapped-ram")) {
    return transport === "file" ? [] : [{ setting: "mapped-ram", rule: "mapped-ram needs file:", found }]
  }
  return isOn("multifd") && !multiChannel.has(transport)
    ? [{ setting: "multifd", rule: "multifd needs tcp:, unix: or vsock:, or mapped-ram", found }]
    : []
}

/**
 * Finds everything that QEMU would refuse, at the latest at the start of the migration.
 *
 * **Details**
 *
 * An invalid value is ignored in rules about other settings. The rules are those of a QEMU with everything built in: a
 * build without a compression method also refuses its name.
 *
 * **Example** (Two mistakes, one error)
 *
 * ```ts
 * import * as Result from "effect/Result"
 * import { MigrationSettings } from "effect-multifd/qemu"
 *
 * const settings = MigrationSettings.validate({
 *   capabilities: { multifd: true, xbzrle: true },
 *   parameters: { "multifd-compression": "zstd", "downtime-limit": -1 }
 * })
 * Result.isFailure(settings) // => true
 * ```
 *
 * @stability unstable
 * @category validation
 * @since 0.1.0
 */
export const validate = (input: Input, context: Context = {}): Result.Result<Settings, MigrationSettingsError> => {
  const { capabilities = {}, parameters = {} } = input
  const wrong = [...checkCapabilities(capabilities), ...checkParameters(parameters)]
  const wrongSettings = new Set(wrong.map(({ setting }) => setting))
  const facts: Facts = {
    isOn: (name) => capabilities[name] === true,
    parameter: (name) => (wrongSettings.has(name) ? undefined : parameters[name]) ?? MigrationParameters.defaults[name]
  }
  const [first, ...rest] = [
    ...wrong,
    ...checkVersion(input, context),
    ...checkCombinations(facts, context),
    ...checkPlain(facts),
    ...checkThrottle(facts),
    ...checkTransport(facts, context)
  ]
  return first === undefined
    ? Result.succeed({ capabilities, parameters })
    : Result.fail(new MigrationSettingsError({ problems: [first, ...rest] }))
}

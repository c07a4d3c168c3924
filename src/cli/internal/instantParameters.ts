import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Image from "../../image/Image.ts"
import * as Postcopy from "../../postcopy/Postcopy.ts"
import { PostcopyPausedError } from "../../postcopy/PostcopyPausedError.ts"
import * as InstantResume from "../../qemu/InstantResume.ts"
import type * as Resume from "../../qemu/Resume.ts"
import type { VmNotReadyError } from "../../qemu/VmError.ts"
import type { Audience } from "./follow.ts"

const flag = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withoutNegation, Flag.withDescription(description), Flag.withDefault(false))

/**
 * The flags of an instant resume.
 *
 * @internal
 */
export const parameters = {
  instant: flag("instant", "Run the guest at once, and send its memory as it is used"),
  recover: flag("recover", "Continue a broken --instant resume: the guest is in postcopy-paused"),
  lazy: flag("lazy", "With --instant: send only the memory that the guest uses"),
  fallback: flag("fallback", "With --instant: load as without it if QEMU may not use userfaultfd"),
  preempt: Flag.Literals("preempt", ["auto", "on", "off"]).pipe(
    Flag.withDescription("With --instant: an own connection for urgent pages (default auto: if QEMU knows it)"),
    Flag.optional
  )
}

interface Given {
  readonly instant: boolean
  readonly recover: boolean
  readonly lazy: boolean
  readonly fallback: boolean
  readonly preempt: Option.Option<"auto" | "on" | "off">
}

/**
 * The same for a sender, which has no monitor to ask.
 *
 * @internal
 */
export const sending = { instant: parameters.instant, lazy: parameters.lazy, preempt: parameters.preempt }

/**
 * Sends an image whose guest runs at once. Without a monitor, an own connection for urgent pages must be asked for.
 *
 * @internal
 */
export const send = <E extends { readonly message: string }>(
  { lazy, preempt }: Pick<Given, "lazy" | "preempt">,
  options: Pick<
    Postcopy.Options<E>,
    "source" | "to" | "tls" | "progress" | "allowLost" | "connectTimeout" | "idleTimeout"
  >,
  { running, warn }: Pick<Audience, "running" | "warn">
) => {
  const begin = performance.now()
  return Postcopy.send({
    ...options,
    preempt: Option.getOrUndefined(preempt) === "on",
    lazyUntil: lazy ? Effect.never : undefined,
    onRunning: Effect.suspend(() => running(performance.now() - begin, "running")),
    onProblem: warn
  }).pipe(
    Effect.mapError((error) =>
      error instanceof PostcopyPausedError
        ? new PostcopyPausedError({
            ...error,
            cause: error.cause,
            recovery: `multifd resume --qmp SOCKET ${options.source.name} --recover, with the destination's monitor`
          })
        : error
    )
  )
}

/**
 * Combinations of these flags that are refused, and the remedies.
 *
 * @internal
 */
export const conflictsOf = ({ fallback, instant, lazy, preempt, recover }: Given): ReadonlyArray<string> => [
  ...(instant && recover ? ["--instant and --recover exclude each other; use one of them"] : []),
  ...(lazy && !instant && !recover ? ["--lazy needs --instant; add it"] : []),
  ...(fallback && !instant ? ["--fallback needs --instant; add it"] : []),
  ...(Option.isSome(preempt) && !instant ? ["--preempt needs --instant; add it"] : [])
]

/** QEMU refused the capability: the guest was not touched. */
const isUserfaultfd = (error: unknown): error is VmNotReadyError =>
  (error as { readonly _tag?: unknown })._tag === "VmNotReadyError" &&
  (error as VmNotReadyError).problems.some(({ reason }) => reason.startsWith("QEMU cannot run a guest before"))

/**
 * Resumes as these flags say; `undefined` if they say nothing.
 *
 * @internal
 */
export const wayOf = (given: Given, { running, warn }: Pick<Audience, "running" | "warn">) => {
  const { fallback, instant, lazy, preempt, recover } = given
  if (!instant && !recover) return undefined
  return <E, R>(
    options: Resume.Options<Effect.Error<ReturnType<Image.Image["blocks"][number]["reader"]["readInto"]>>>,
    ordinary: Effect.Effect<Resume.Resumed, E, R>
  ) => {
    const event = options.paused === true ? ("loaded" as const) : ("running" as const)
    const all = {
      ...options,
      preempt: Option.getOrUndefined(preempt),
      lazyUntil: lazy ? Effect.never : undefined,
      onRunning: (milliseconds: number) => running(milliseconds, event)
    }
    if (recover) return InstantResume.recover(all)
    return InstantResume.run(all).pipe(
      Effect.catchIf(
        (error) => fallback && isUserfaultfd(error),
        (error) => Effect.andThen(warn(`${error.message}; loading all of it first`), ordinary)
      )
    )
  }
}

/**
 * Tests that begin with a workspace, or with a guest that is at work in one.
 */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Migration from "../../../src/migration/Migration.ts"
import * as Machine from "./machine.ts"
import * as Workload from "./workload.ts"
import * as Workspace from "./workspace.ts"

/** The body of a test: a generator as for `Effect.gen`. */
type Body<Given extends ReadonlyArray<unknown>> = (
  ...given: Given
) => Generator<Effect.Effect<unknown, unknown, Scope.Scope | Migration.Migration>, void, never>

type GuestBody<Guest> = Body<[vm: Guest, space: Workspace.Workspace]>

/** A test with a place for its files; everything it starts ends with it. */
export const itSpace = (title: string, body: Body<[space: Workspace.Workspace]>): void =>
  it.live(title, () =>
    Effect.gen(function* () {
      const space = yield* Workspace.make
      yield* Effect.gen(() => body(space))
    }).pipe(Effect.provide(Migration.layer))
  )

/** A test with a guest that `begin` makes: a title, its options if there are any, and a body. */
const withGuest =
  <A, E>(begin: (space: Workspace.Workspace, options: Machine.Options) => Effect.Effect<A, E, Scope.Scope>) =>
  (title: string, ...given: [body: GuestBody<A>] | [options: Machine.Options, body: GuestBody<A>]): void =>
    itSpace(title, function* (space) {
      const [options, body] = given.length === 1 ? [{}, given[0]] : given
      const vm = yield* begin(space, options)
      yield* Effect.gen(() => body(vm, space))
    })

/** A test with a guest that has dirtied its memory already, and a client that is connected to it. */
export const itGuest = withGuest(Machine.running)

/** The same without a client, for commands that connect by themselves: a monitor serves one client at a time. */
export const itGuestAlone = withGuest(
  Effect.fnUntraced(function* (space, options) {
    const vm = yield* Machine.launch(space, options)
    yield* Workload.reach(vm.ram, 2)
    return vm
  })
)

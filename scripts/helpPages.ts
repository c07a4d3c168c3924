/**
 * The help of the program and of each of its commands, as data.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import { commands, program } from "../src/cli/internal/commands.ts"
import { groups } from "../src/cli/internal/define.ts"
import { pageOf } from "../src/cli/internal/helpPage.ts"
import type { Page } from "../src/cli/internal/helpSection.ts"

export interface Pages {
  readonly root: Page
  /** In the groups of the help. */
  readonly groups: ReadonlyArray<readonly [group: string, pages: ReadonlyArray<Page>]>
}

const page = (name?: string): Effect.Effect<Page, unknown, NodeServices.NodeServices> =>
  Effect.map(program.helpOf(name), pageOf)

const all = Effect.gen(function* () {
  const grouped = groups.map((group) => [group, commands.filter((command) => command.group === group)] as const)
  return {
    root: yield* page(),
    groups: yield* Effect.forEach(
      grouped.filter(([, members]) => members.length > 0),
      ([group, members]) =>
        Effect.map(
          Effect.forEach(members, ({ name }) => page(name)),
          (pages) => [group, pages] as const
        )
    )
  }
})

export const pages = (): Promise<Pages> => Effect.runPromise(Effect.provide(all, NodeServices.layer))

/** The sections of a page that are its own; those of the program stand once. */
export const ownSections = ({ sections }: Page): Page["sections"] =>
  sections.filter(({ title }) => title !== "GLOBAL FLAGS")

/** The flags that every command takes. */
export const globalFlags = ({ sections }: Page): Page["sections"] =>
  sections.filter(({ title }) => title === "GLOBAL FLAGS")

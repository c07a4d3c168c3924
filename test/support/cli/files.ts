/** A directory of files for one test, and what the tests put into them. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Workspace from "../qemu/workspace.ts"

export interface Folder {
  /** The path of a file in it. */
  readonly at: (name: string) => string
  /** Everything that is in it, hidden files included. */
  readonly list: () => ReadonlyArray<string>
  readonly read: (name: string) => Buffer
  /** Writes a file and gives its path. */
  readonly write: (name: string, bytes: Uint8Array) => string
}

/** A folder that is removed when the scope closes. */
export const folder: Effect.Effect<Folder, never, Scope.Scope> = Workspace.directory().pipe(
  Effect.map((path) => {
    const at = (name: string) => Path.join(path, name)
    return {
      at,
      list: () => Fs.readdirSync(path).toSorted(),
      read: (name) => Fs.readFileSync(at(name)),
      write: (name, bytes) => {
        Fs.writeFileSync(at(name), bytes)
        return at(name)
      }
    }
  })
)

/** Pages that tell their number, every third of them zero. */
export const pages = (count: number, seed = 0): Buffer => {
  const bytes = Buffer.alloc(count * 4096)
  for (let page = 0; page < count; page++) {
    if (page % 3 !== 1) bytes.fill(((page + seed) % 255) + 1, page * 4096, (page + 1) * 4096)
  }
  return bytes
}

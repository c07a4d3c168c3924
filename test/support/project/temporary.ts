/**
 * Temporary folders of the project's tests.
 */
import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"

/** A new folder; `writeFiles` fills it, `remove` takes it away. */
export const make = (): Promise<string> => Fs.mkdtemp(Path.join(Os.tmpdir(), "effect-multifd-"))

/** Removes a folder and everything in it. */
export const remove = (folder: string): Promise<void> => Fs.rm(folder, { recursive: true, force: true })

/** Writes files, by their path relative to `folder`; what is no string is written as JSON. */
export const writeFiles = async (folder: string, files: Readonly<Record<string, unknown>>): Promise<void> => {
  for (const [name, content] of Object.entries(files)) {
    const path = Path.join(folder, name)
    await Fs.mkdir(Path.dirname(path), { recursive: true })
    await Fs.writeFile(path, typeof content === "string" ? content : JSON.stringify(content))
  }
}

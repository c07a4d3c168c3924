/**
 * Draws `architecture.svg` from `architecture.dot`: `npm run docs:picture`.
 */
import { instance } from "@viz-js/viz"
import * as Fs from "node:fs"
import * as Path from "node:path"

/** The SVG of a graph in Graphviz' language. */
export const draw = async (source: string): Promise<string> =>
  (await instance()).renderString(source, { format: "svg" })

const file = (extension: string): string => Path.join(import.meta.dirname, `architecture.${extension}`)

if (import.meta.main) Fs.writeFileSync(file("svg"), await draw(Fs.readFileSync(file("dot"), "utf8")))

import * as Fs from "node:fs"

/**
 * The program of a lane, next to this module: in the sources, in the built package, and next to a bundle that contains
 * this module. Bundlers find it by this form of URL.
 */
const beside = (): URL =>
  import.meta.url.endsWith(".ts")
    ? new URL("./laneWorker.ts", import.meta.url)
    : new URL("./laneWorker.js", import.meta.url)

/**
 * The location of a lane's program; `undefined`: there is none.
 *
 * @internal
 */
export const find = (given: URL | undefined): URL | undefined => {
  const url = given ?? beside()
  return url.protocol !== "file:" || Fs.existsSync(url) ? url : undefined
}

import * as Fs from "node:fs"

/**
 * The program of a lane, which lies beside this module: in the sources, in the built package, and beside a bundle that this
 * module is part of. Bundlers find it by this form of URL.
 */
const beside = (): URL =>
  import.meta.url.endsWith(".ts")
    ? new URL("./laneWorker.ts", import.meta.url)
    : new URL("./laneWorker.js", import.meta.url)

/**
 * Where the program of a lane is; `undefined`: there is none.
 *
 * @internal
 */
export const find = (given: URL | undefined): URL | undefined => {
  const url = given ?? beside()
  return url.protocol !== "file:" || Fs.existsSync(url) ? url : undefined
}

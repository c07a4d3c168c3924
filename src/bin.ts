#!/usr/bin/env node
/**
 * The `multifd` program: checks the version of Node before it loads anything else. An older Node cannot load the rest,
 * or loads it and fails during the work. This file has no imports and no new syntax, so that an older Node can parse
 * it.
 *
 * @since 0.1.0
 */

// Same as `engines` of package.json; the first releases of 23 are older than 22.19.
const { execPath, versions } = process
const [major = 0, minor = 0] = versions.node.split(".").map(Number)
const isNewEnough = major === 22 ? minor >= 19 : major === 23 ? minor >= 8 : major > 23

/**
 * Keeps compiled code in a directory that only this user can write to. Node's own choice is below the directory for
 * temporary files, where another user could put code into it first.
 */
const cacheCompiledCode = () => {
  if (process.env["NODE_COMPILE_CACHE"] !== undefined) return
  try {
    const { homedir } = process.getBuiltinModule("node:os").userInfo()
    const base =
      process.env["XDG_CACHE_HOME"] && process.env["HOME"] === homedir
        ? process.env["XDG_CACHE_HOME"]
        : `${homedir}/.cache`
    process.getBuiltinModule("node:module").enableCompileCache(`${base}/multifd`)
  } catch {
    // A user without a home directory gets on without.
  }
}

if (isNewEnough) {
  cacheCompiledCode()
  void import("./main.ts")
} else {
  console.error(`multifd: cannot run on Node ${versions.node} (${execPath}); install Node 22.19 or newer`)
  process.exitCode = 2
}

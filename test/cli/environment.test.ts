/** Environment variables as defaults of flags. */
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { variables } from "../../src/cli/internal/environment.ts"
import * as Command from "../support/cli/command.ts"
import { folder, pages } from "../support/cli/files.ts"
import { root } from "../support/project/run.ts"

const withEnvironment = (env: Record<string, string>, ...args: ReadonlyArray<string>) =>
  Effect.provideService(Command.run(...args), ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))

const commands = ["save", "restore", "convert", "receive", "send", "capture", "resume", "seal", "recover", "verify"]

/** One value for each variable that no flag takes, and what to use instead. */
const wrong: Readonly<Record<keyof typeof variables, readonly [command: string, remedy: string] | undefined>> = {
  MULTIFD_CHANNELS: ["verify", "a whole number from 1 to 255"],
  MULTIFD_COMPRESSION: ["send", "one of none, zlib, zstd"],
  MULTIFD_KEY_FILE: undefined,
  MULTIFD_MAX_BANDWIDTH: ["send", "bytes a second, such as 128M"],
  MULTIFD_PROGRESS: ["restore", "one of auto, line, json"],
  MULTIFD_SEAL: ["save", "one of crc32, sha256, hmac-sha256, none"],
  MULTIFD_TIMEOUT: ["resume", "0 or more seconds"]
}

const required: Readonly<Record<string, ReadonlyArray<string>>> = {
  send: ["/image", "--to", "unix:/there"],
  restore: ["/image", "--block", "a=/b"],
  save: ["/image", "--block", "a=/b"],
  resume: ["/image", "--qmp", "/qmp"],
  verify: ["/image"]
}

describe("the environment", () => {
  it.effect("every variable of the table is in the help of its flag, and every variable of the help in the table", () =>
    Effect.gen(function* () {
      const help = yield* Effect.forEach(commands, (name) => Command.run(name, "--help"))
      const flags = help.flatMap(({ stdout }) => stdout.split(/\n +(?:-\w, )?--/).slice(1))
      const named = flags.flatMap((text) => {
        const name = /\[(MULTIFD_\w+)\]/.exec(text)?.[1]
        return name === undefined ? [] : [`${name} --${/^[\w-]+/.exec(text)?.[0]}`]
      })
      const table = Object.entries(variables).map(([name, { flag }]) => `${name} --${flag}`)
      assert.deepStrictEqual([...new Set(named)].toSorted(), table.toSorted())
      const { stdout } = yield* Command.run("help", "environment")
      for (const [name, { flag }] of Object.entries(variables)) {
        assert.match(stdout, new RegExp(`${name} +Default of --${flag}: `))
      }
    })
  )

  it("the documentation has the table", () => {
    const page = Fs.readFileSync(Path.join(root, "docs/reference/environment.md"), "utf8")
    const rows = [...page.matchAll(/^\| `(MULTIFD_\w+)` +\| `--([\w-]+)` +\| (.*?) +\|$/gm)]
    assert.deepStrictEqual(
      Object.fromEntries(rows.map(([, name, flag, meaning]) => [name, { flag, meaning }])),
      variables
    )
  })

  for (const [name, expected] of Object.entries(wrong)) {
    if (expected === undefined) continue
    const [command, remedy] = expected
    it.effect(`a wrong value of ${name} is a usage error that names it`, () =>
      Effect.gen(function* () {
        const { code, stderr } = yield* withEnvironment({ [name]: "odd" }, command, ...(required[command] ?? []))
        assert.strictEqual(code, 2, stderr)
        assert.include(stderr, `${name} is "odd"; use ${remedy}`)
      })
    )
  }

  it.effect("the flag counts before the variable, and the variable before the default", () =>
    Effect.gen(function* () {
      const { at, write } = yield* folder
      write("ram", pages(8))
      const save = (target: string, env: Record<string, string>, ...flags: ReadonlyArray<string>) =>
        withEnvironment(env, "save", "--block", `pc.ram=${at("ram")}`, ...flags, at(target))
      const sealOf = Effect.fnUntraced(function* (target: string) {
        const { stdout } = yield* Command.run("verify", at(target), "--json")
        return (JSON.parse(stdout) as { readonly seal: { readonly algorithm: string } | null }).seal?.algorithm
      })
      assert.strictEqual((yield* save("default", {})).code, 0)
      assert.strictEqual((yield* save("empty", { MULTIFD_SEAL: "" })).code, 0)
      assert.strictEqual((yield* save("variable", { MULTIFD_SEAL: "sha256" })).code, 0)
      assert.strictEqual((yield* save("flag", { MULTIFD_SEAL: "sha256" }, "--seal", "none")).code, 0)
      assert.deepStrictEqual(
        [yield* sealOf("default"), yield* sealOf("empty"), yield* sealOf("variable"), yield* sealOf("flag")],
        ["crc32", "crc32", "sha256", undefined]
      )
    })
  )

  it.effect("a key file of the environment seals, and verifies", () =>
    Effect.gen(function* () {
      const { at, write } = yield* folder
      write("ram", pages(8))
      write("key", Buffer.alloc(32, 7))
      const env = { MULTIFD_KEY_FILE: at("key") }
      assert.strictEqual((yield* withEnvironment(env, "save", "--block", `pc.ram=${at("ram")}`, at("vm.img"))).code, 0)
      assert.strictEqual((yield* withEnvironment(env, "verify", at("vm.img"))).code, 0)
      assert.strictEqual((yield* Command.run("verify", at("vm.img"))).code, 4)
    })
  )
})

/** What is written and what is read are different files, by whatever name, or nothing is touched. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Command from "../support/cli/command.ts"
import { folder, pages } from "../support/cli/files.ts"

const ram = pages(512)

/** A folder with RAM, keys and an image, each under several names. */
const place = Effect.gen(function* () {
  const files = yield* folder
  const { at, list, read, write } = files
  write("ram", ram)
  write("key", Buffer.alloc(32, 7))
  Fs.mkdirSync(at("tls"))
  write("tls/server-key.pem", Buffer.from("no key"))
  assert.include(yield* Command.run("save", "--block", `pc.ram=${at("ram")}`, at("vm.img")), { code: 0 })
  for (const name of ["ram", "key", "vm.img"]) {
    Fs.linkSync(at(name), at(`${name}.hard`))
    Fs.symlinkSync(name, at(`${name}.soft`))
  }
  Fs.mkdirSync(at("directory"))
  Fs.symlinkSync("directory", at("other-directory"))
  const state = () =>
    list()
      .filter((name) => Fs.statSync(at(name)).isFile())
      .map((name) => [name, read(name).toString("base64"), Fs.statSync(at(name)).ino])
  return { ...files, state }
})

describe("what is read is not written over", () => {
  it.effect("save: into the file of a block", () =>
    Effect.gen(function* () {
      const { at, state } = yield* place
      const before = state()
      const targets = ["ram", "ram.hard", "ram.soft"].flatMap((name) => [
        at(name),
        `file:${at(name)},offset=0`,
        `file:${at(name)},offset=1M`
      ])
      for (const target of targets) {
        const { code, stderr } = yield* Command.run("save", "--block", `pc.ram=${at("ram")}`, target)
        assert.strictEqual(code, 2, target)
        assert.match(stderr, /^multifd: cannot save: .* holds the block "pc\.ram".*; write to another file/)
        assert.deepStrictEqual(state(), before, target)
      }
    })
  )

  it.effect("save: a part of the file that no block lies in is free", () =>
    Effect.gen(function* () {
      const { at, read } = yield* place
      const image = `file:${at("ram.hard")},offset=2M`
      assert.include(yield* Command.run("save", "--block", `pc.ram=${at("ram")}`, image), { code: 0 })
      assert.isTrue(read("ram").subarray(0, ram.length).equals(ram))
      Fs.writeFileSync(at("ram"), Buffer.concat([Buffer.alloc(ram.length), read("ram").subarray(ram.length)]))
      const restored = yield* Command.run("restore", image, "--block", `pc.ram=${at("ram.soft")}`)
      assert.include(restored, { code: 0 })
      assert.isTrue(read("ram").subarray(0, ram.length).equals(ram))
    })
  )

  it.effect("restore: into the image itself, or two blocks into one file", () =>
    Effect.gen(function* () {
      const { at, state } = yield* place
      const two = ["--block", `a=${at("ram")},length=1M`, "--block", `b=${at("ram")},offset=1M`]
      assert.include(yield* Command.run("save", ...two, at("two.img")), { code: 0 })
      const before = state()
      const cases: ReadonlyArray<readonly [string, string, ReadonlyArray<string>]> = [
        ["overwrite the image itself", "vm.img", [`pc.ram=${at("vm.img.hard")}`]],
        ["overwrite the image itself", "vm.img", [`pc.ram=${at("vm.img.soft")},offset=64M`]],
        ["overwrite the image itself", "vm.img.soft", [`pc.ram=${at("vm.img")}`]],
        ["overlap", "two.img", [`a=${at("ram")}`, `b=${at("ram.hard")},offset=4k`]],
        ["overlap", "two.img", [`a=${at("directory/new")}`, `b=${at("other-directory/new")}`]],
        ["overlap", "two.img", [`a=${at("directory/new")}`, `b=${at("other-directory/../directory/new")},offset=1020k`]]
      ]
      for (const [reason, image, blocks] of cases) {
        const args = blocks.flatMap((block) => ["--block", block])
        const { code, stderr } = yield* Command.run("restore", at(image), ...args)
        assert.strictEqual(code, 2, stderr)
        assert.include(stderr, reason)
        assert.deepStrictEqual(state(), before)
        assert.deepStrictEqual(Fs.readdirSync(at("directory")), [])
      }
      const apart = [`a=${at("directory/new")}`, `b=${at("other-directory/new")},offset=1M`]
      const args = apart.flatMap((block) => ["--block", block])
      assert.include(yield* Command.run("restore", at("two.img"), ...args), { code: 0 })
      assert.isTrue(Fs.readFileSync(at("directory/new")).equals(ram))
    })
  )

  it.effect("keys and certificates", () =>
    Effect.gen(function* () {
      const { at, state } = yield* place
      const block = ["--block", `pc.ram=${at("ram")}`]
      assert.include(yield* Command.run("save", ...block, "--key-file", at("key"), at("keyed.img")), { code: 0 })
      const before = state()
      const key = ["--key-file", at("key")]
      const listen = ["receive", "--listen", `unix:${at("sock")}`]
      const cases: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
        ["--key-file", ["save", ...block, ...key, at("key.hard")]],
        ["--key-file", ["convert", at("vm.img"), ...key, at("key.soft")]],
        ["--source-key-file", ["convert", at("keyed.img"), "--source-key-file", at("key"), at("key")]],
        ["--key-file", ["recover", at("keyed.img"), ...key, at("key.hard")]],
        ["--key-file", ["seal", at("key.hard"), ...key]],
        ["--key-file", ["restore", at("keyed.img"), ...key, "--block", `pc.ram=${at("key.soft")}`]],
        ["--key-file", [...listen, ...key, at("key")]]
      ]
      for (const [flag, args] of cases) {
        const { code, stderr } = yield* Command.run(...args)
        assert.strictEqual(code, 2, stderr)
        assert.include(stderr, ` is the file of ${flag}; write to another file`)
        assert.deepStrictEqual(state(), before)
      }
    })
  )

  it.effect("recover: into the damaged image; receive: into its own socket", () =>
    Effect.gen(function* () {
      const { at, list, state } = yield* place
      const before = state()
      for (const name of ["vm.img", "vm.img.hard", "vm.img.soft"]) {
        const { code, stderr } = yield* Command.run("recover", at("vm.img"), at(name))
        assert.strictEqual(code, 2, stderr)
        assert.include(stderr, " is the source itself; write to another file")
      }
      const names = list()
      const listen = `unix:${at("directory/sock")}`
      const { code, stderr } = yield* Command.run("receive", "--listen", listen, at("other-directory/sock"))
      assert.strictEqual(code, 2, stderr)
      assert.include(stderr, " is also the path of the socket; write to another file")
      assert.deepStrictEqual(state(), before)
      assert.deepStrictEqual(list(), names)
    })
  )

  it.effect("convert: an image may take its own place", () =>
    Effect.gen(function* () {
      const { at } = yield* place
      assert.include(yield* Command.run("convert", at("vm.img"), at("vm.img.soft")), { code: 0 })
      assert.include(yield* Command.run("verify", at("vm.img")), { code: 0 })
    })
  )
})

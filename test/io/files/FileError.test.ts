import { assert, describe, it } from "@effect/vitest"
import * as Runtime from "effect/Runtime"
import * as FileError from "../../../src/io/files/FileError.ts"

const errno = (code: string): Error => Object.assign(new Error(`${code}: something of Node's`), { code })
const write: FileError.Call = { operation: "write", path: "/image", position: 1_048_576, length: 4096 }

/** One errno of each kind of error. */
const kinds = ["EIO", "ENOSPC", "EACCES", "ENOENT", "ESPIPE"]

describe("FileError", () => {
  it.each(kinds)("%s is said with its call, and without the words of its cause", (code) => {
    const cause = errno(code)
    const error = FileError.fromCause(write, cause)
    assert.include(error, { ...write, code, cause })
    assert.include(error.message, "/image: write of 4096 bytes at 1048576")
    assert.notInclude(error.message, "something of Node's")
  })

  it("each kind of errno is an error of its own", () => {
    const tags = kinds.map((code) => FileError.fromCause(write, errno(code))._tag)
    assert.strictEqual(new Set(tags).size, kinds.length)
  })

  it.each([
    [122, "EDQUOT", "NoSpaceError", 7],
    [116, "ESTALE", "FileReplacedError", 6],
    [126, "ENOKEY", "FilePermissionError", 6],
    [117, "EUCLEAN", "FileIoError", 6],
    [121, "EREMOTEIO", "FileIoError", 6],
    [123, "ENOMEDIUM", "FileIoError", 6],
    [4000, "errno 4000", "FileIoError", 6]
  ] as const)("errno %i, which Node has no name for, is %s, a %s", (number, code, tag, exitCode) => {
    const unnamed = `Unknown system error -${number}`
    for (const nodes of [unnamed, "UNKNOWN", undefined]) {
      const cause = Object.assign(new Error(`${unnamed}: ${unnamed}, write`), { code: nodes, errno: -number })
      const error = FileError.fromCause(write, cause)
      assert.include(error, { _tag: tag, code, cause })
      assert.strictEqual(error[Runtime.errorExitCode], exitCode)
    }
  })

  it("every errno of the system has a name", () => {
    const numbers = Array.from({ length: 133 }, (_, index) => index + 1).filter(
      (number) => number !== 41 && number !== 58
    )
    const codes = numbers.map(
      (number) => FileError.fromCause(write, Object.assign(new Error(), { errno: -number })).code
    )
    assert.deepStrictEqual(
      codes.filter((code) => !/^E[A-Z0-9]+$/.test(code)),
      []
    )
    assert.strictEqual(new Set(codes).size, numbers.length)
  })

  it("what is no error of a system call has no code", () => {
    for (const cause of [new Error("no code"), "text", undefined, Object.assign(new Error("odd"), { code: 5 })]) {
      assert.include(FileError.fromCause(write, cause), { _tag: "FileIoError", code: "UNKNOWN" })
    }
  })

  const place: FileError.Place = { step: "ram", channel: 2, block: "pc.ram", offset: 8192 }
  const all: ReadonlyArray<FileError.FileError> = [
    ...kinds.map((code) => FileError.fromCause(write, errno(code))),
    new FileError.WorkerDiedError({ ...write, code: "EIO", cause: new Error("out of memory") }),
    new FileError.UnexpectedEndOfFileError({ ...write, code: "EOF", found: 17 })
  ]

  it("gets to know its place, and keeps everything else", () => {
    for (const error of all) {
      const placed = FileError.at(error, place)
      assert.include(placed, { ...write, ...place, _tag: error._tag, code: error.code, cause: error.cause })
      assert.include(placed.message, "/image: write of 4096 bytes at 1048576 (ram, channel 2, block pc.ram at 8192)")
      assert.strictEqual(placed.message.replace(/ \(ram.*8192\)/, ""), error.message)
    }
  })

  it("keeps the first place that it was given", () => {
    const [error] = all
    const twice = FileError.at({ step: "device state", channel: 7 })(FileError.at(error!, { step: "ram" }))
    assert.include(twice, { step: "ram", channel: 7 })
    assert.include(twice.message, "(ram, channel 7)")
  })

  it.each([
    [{ step: "ram", block: "pc.ram" }, "(ram, block pc.ram)"],
    [{ block: "pc.ram", offset: 0 }, "(block pc.ram at 0)"],
    [{ step: "ram", offset: 4096 }, "(ram)"],
    [{ channel: 0 }, "(channel 0)"]
  ] as const)("says of its place what it knows: %o", (place, expected) => {
    const error = FileError.at(all[0]!, place)
    assert.include(error.message, `/image: write of 4096 bytes at 1048576 ${expected} `)
  })

  it.each([
    [{ operation: "open", path: "/image" }, "/image: open "],
    [{ operation: "read", path: "/image", length: 0 }, "/image: read of 0 bytes "],
    [{ operation: "read", path: "/image", position: 0 }, "/image: read at 0 "]
  ] as const)("tells $call.operation with length $call.length and position $call.position", (call, expected) =>
    assert.include(FileError.fromCause(call, errno("EIO")).message, expected)
  )

  it("says how far a file goes that is too short", () => {
    const error = all.at(-1)!
    assert.strictEqual(error.message, "/image: write of 4096 bytes at 1048576: the file ends after 17 of them")
    assert.strictEqual(error[Runtime.errorExitCode], 5)
  })
})

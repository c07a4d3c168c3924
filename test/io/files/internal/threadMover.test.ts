import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { InThread } from "../../../../src/io/files/FileCalls.ts"
import type { FileError } from "../../../../src/io/files/FileError.ts"
import { ThreadMover } from "../../../../src/io/files/internal/threadMover.ts"
import type { Extent } from "../../../../src/io/files/PositionalFile.ts"

const FD = 7
const MIB = 1024 * 1024

const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 31 + 7) % 251)

const failed = (code: string) => Object.assign(new Error(code), { code })

/** Answers each call in turn: with a failure, or by moving so many bytes at the most; then everything is moved. */
const answering = (...answers: ReadonlyArray<number | string>) => {
  const content = new Uint8Array(64)
  const calls: Array<string> = []
  const next = (name: string, fd: number, length: number, position: number): number => {
    const answer = answers[calls.length]
    calls.push(`${name} ${fd} ${length} at ${position}`)
    if (typeof answer === "string") throw failed(answer)
    return Math.min(length, answer ?? length)
  }
  const inThread: InThread = {
    suits: (_, done) => done(true),
    read: (fd, target, offset, length, position) => {
      const count = next("read", fd, length, position)
      target.set(content.subarray(position, position + count), offset)
      return count
    },
    write: (fd, data, offset, length, position) => {
      const count = next("write", fd, length, position)
      content.set(data.subarray(offset, offset + count), position)
      return count
    }
  }
  return { calls, content, mover: new ThreadMover({ inThread, fd: FD, path: "/x", now: () => 0 }) }
}

/** Each write takes so many milliseconds; those behind the last one take no time. */
const lasting = (...milliseconds: ReadonlyArray<number>) => {
  let calls = 0
  let now = 0
  const write: InThread["write"] = (_fd, _data, _offset, length) => {
    now += milliseconds[calls++] ?? 0
    return length
  }
  const inThread: InThread = { suits: (_, done) => done(true), read: () => 0, write }
  return new ThreadMover({ inThread, fd: FD, path: "/x", now: () => now })
}

/** What comes of it, where that is told at once. */
const moved = (mover: ThreadMover, direction: "read" | "write", extents: ReadonlyArray<Extent>) => {
  const told: Array<FileError | undefined> = []
  mover.move(direction, extents, (failure) => told.push(failure))
  assert.lengthOf(told, 1)
  return told[0]
}

const one: ReadonlyArray<Extent> = [{ position: 0, bytes: new Uint8Array(1) }]

describe("ThreadMover", () => {
  it("moves every extent to its place and back; short counts and interrupted calls are continued", () => {
    const { calls, content, mover } = answering(3, "EINTR", 2)
    const data = bytes(10)
    const extents = [
      { position: 4, bytes: data.subarray(0, 6) },
      { position: 30, bytes: data.subarray(6) }
    ]
    assert.isUndefined(moved(mover, "write", extents))
    assert.deepStrictEqual(calls, [
      "write 7 6 at 4",
      "write 7 3 at 7",
      "write 7 3 at 7",
      "write 7 1 at 9",
      "write 7 4 at 30"
    ])
    assert.deepStrictEqual(content.subarray(4, 10), data.subarray(0, 6))
    const back = [4, 30].map((position, i) => ({ position, bytes: new Uint8Array(i === 0 ? 6 : 4) }))
    assert.isUndefined(moved(mover, "read", back))
    assert.deepStrictEqual(Buffer.concat(back.map((extent) => extent.bytes)), Buffer.from(data))
  })

  it("ends at the first failure, with the error that the call has by another way", () => {
    const { calls, mover } = answering(1, "ENOSPC")
    const extents = [5, 50].map((position) => ({ position, bytes: bytes(2) }))
    const expected = { operation: "write", path: "/x", position: 5, length: 2 } as const
    assert.deepInclude(moved(mover, "write", extents), { ...expected, _tag: "NoSpaceError", code: "ENOSPC" })
    assert.deepStrictEqual(calls, ["write 7 2 at 5", "write 7 1 at 6"])
  })

  it("nothing moved: a file ends there, or takes no bytes", () => {
    const extents = [{ position: 5, bytes: bytes(2) }]
    const read = { operation: "read", path: "/x", position: 5, length: 2 } as const
    assert.deepInclude(moved(answering(1, 0).mover, "read", extents), {
      ...read,
      _tag: "UnexpectedEndOfFileError",
      found: 1
    })
    assert.deepInclude(moved(answering(0).mover, "write", extents), {
      ...read,
      operation: "write",
      _tag: "FileIoError",
      code: "EIO"
    })
  })

  it("what is no position fails before any call, unless there is nothing to move", () => {
    const { calls, mover } = answering()
    assert.include(moved(mover, "read", [{ position: -1, bytes: bytes(1) }]), { _tag: "FileIoError", code: "EINVAL" })
    assert.include(moved(mover, "read", [{ position: 2 ** 53 - 1, bytes: bytes(1) }]), { code: "EINVAL" })
    assert.isUndefined(moved(mover, "read", [{ position: -1, bytes: bytes(0) }]))
    assert.deepStrictEqual(calls, [])
  })

  it("after something slow the next 4 MiB go another way; then it is tried again", () => {
    const mover = lasting(1)
    const extents = [{ position: 0, bytes: new Uint8Array(MIB) }]
    assert.isTrue(mover.takes(one))
    assert.isUndefined(moved(mover, "write", one))
    assert.deepStrictEqual(
      [1, 2, 3, 4, 5].map(() => mover.takes(extents)),
      [false, false, false, false, true]
    )
    assert.isTrue(mover.takes(extents), "what was quick is no reason to rest")
  })

  it.effect("tells at once, unless bytes were moved for 2 ms: then the event loop has its turn first", () =>
    Effect.gen(function* () {
      const mover = lasting(1.5, 0.5)
      assert.isUndefined(moved(mover, "write", one))
      let turns = 0
      setImmediate(() => turns++)
      const before = yield* Effect.callback<number>((resume) =>
        mover.move("write", one, () => resume(Effect.succeed(turns)))
      )
      assert.strictEqual(before, 1)
      assert.isUndefined(moved(mover, "write", one))
    })
  )
})

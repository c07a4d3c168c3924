/**
 * A process that saves and keeps what it has written, and kills itself, as `kill -9` would, at the first call that changes
 * the disk after a number of checkpoints.
 *
 *     node killedPartialSave.ts TARGET CHECKPOINTS
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SealMark from "../../../src/format/seal/SealMark.ts"
import * as FileCalls from "../../../src/io/files/FileCalls.ts"
import * as Migration from "../../../src/migration/Migration.ts"
import { PAGE, request } from "./partial.ts"

const [target, last] = [process.argv[2]!, Number(process.argv[3])]
let marks = 0
let syncs = 0
let waiting: Array<() => void> = []

/** A first checkpoint takes writes: one that is to die without any gets so far, and no farther. */
const dieWhenDue = (length: number): void => {
  if (marks === last && (last > 0 || length >= PAGE)) process.kill(process.pid, "SIGKILL")
}

const { node } = FileCalls
const dying: FileCalls.Calls = {
  ...node,
  write: (fd, data, offset, length, position, done) => {
    dieWhenDue(length)
    const write = () =>
      node.write(fd, data, offset, length, position, (error, count) => {
        if (length === SealMark.LENGTH) marks += 1
        done(error, count)
      })
    // However slow the disk is to sync: pages wait for it, so that there is a checkpoint now and then.
    if (syncs > 0 && length >= PAGE) waiting.push(write)
    else write()
  },
  fdatasync: (fd, done) => {
    dieWhenDue(0)
    syncs += 1
    node.fdatasync(fd, (error) => {
      syncs -= 1
      if (syncs === 0) {
        const next = waiting
        waiting = []
        for (const write of next) write()
      }
      done(error)
    })
  }
}

const program = Effect.flatMap(request(target), Migration.make.save)
await Effect.runPromise(Effect.provide(program, Layer.succeed(FileCalls.FileCalls, dying)))

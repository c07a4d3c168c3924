/**
 * A process that saves a small machine and kills itself, as `kill -9` would, at one of the calls that change the disk.
 *
 *     node killedSave.ts '{ "target": …, "pages": 48, "channels": 2, "at": 17, "moment": "before" }'
 *
 * Where `at` is no such call, it saves, and prints how many there were.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as FileCalls from "../../../src/io/files/FileCalls.ts"
import * as Migration from "../../../src/migration/Migration.ts"
import { machineOf, type Request } from "../machine.ts"

const request: Request = JSON.parse(process.argv[2]!)
let calls = 0

const die = (): void => void process.kill(process.pid, "SIGKILL")

/** Makes a call, and dies in front of it, while it is under way, or when it is done. */
const meet = <Arguments extends ReadonlyArray<unknown>>(
  done: (...result: Arguments) => void,
  call: (done: (...result: Arguments) => void) => void
): void => {
  const isLast = calls++ === request.at
  if (isLast && request.moment === "before") die()
  call((...result) => {
    if (isLast && request.moment === "after") die()
    done(...result)
  })
  if (isLast && request.moment === "during") die()
}

const { node } = FileCalls
const dying: FileCalls.Calls = {
  ...node,
  open: (path, flags, mode, done) => meet(done, (done) => node.open(path, flags, mode, done)),
  write: (fd, data, offset, length, position, done) =>
    meet(done, (done) => node.write(fd, data, offset, length, position, done)),
  ftruncate: (fd, length, done) => meet(done, (done) => node.ftruncate(fd, length, done)),
  fchmod: (fd, mode, done) => meet(done, (done) => node.fchmod(fd, mode, done)),
  fdatasync: (fd, done) => meet(done, (done) => node.fdatasync(fd, done)),
  fsync: (fd, done) => meet(done, (done) => node.fsync(fd, done)),
  rename: (from, to, done) => meet(done, (done) => node.rename(from, to, done))
}

const program = Effect.gen(function* () {
  const { target, channels } = request
  yield* Migration.make.save({ ...(yield* machineOf(request.pages)), target, channels, batchSize: 4 * 4096 })
})

await Effect.runPromise(Effect.provide(program, Layer.succeed(FileCalls.FileCalls, dying)))
process.stdout.write(String(calls))

/**
 * What is mutated, room by room, and the tests that are to notice it. They run in one process, which mutants are in effect in:
 * tests of other processes and of a real QEMU notice nothing, and are not among them.
 */
export interface Room {
  readonly sources: ReadonlyArray<string>
  readonly tests: ReadonlyArray<string>
  /** Mutants in the sample, where nothing else is said. */
  readonly sample: number
}

const room = (name: string, sample: number, ...others: ReadonlyArray<string>): Room => ({
  sources: [`src/${name}/**/*.ts`],
  tests: [`test/${name}/**/*.test.ts`, ...others],
  sample
})

export const rooms: Readonly<Record<string, Room>> = {
  format: room("format", 300, "test/multifd/**/*.test.ts"),
  compression: room("compression", 100, "test/multifd/**/*.test.ts"),
  io: room("io", 80),
  multifd: room("multifd", 80, "test/migration/{Hostile,Receive,SendReceive}.test.ts"),
  transfer: room("transfer", 60, "test/multifd/**/*.test.ts"),
  snapshot: room("snapshot", 40, "test/migration/{Hostile,Receive,SendReceive}.test.ts"),
  image: room("image", 80, "test/migration/**/*.test.ts"),
  migration: room("migration", 80),
  qemu: room("qemu", 80),
  cli: room("cli", 80)
}

/** The room of that name, which has to be one. */
export const roomOf = (name: string): Room => {
  const found = rooms[name]
  if (found === undefined) throw new Error(`expected a room of ${Object.keys(rooms).join(", ")}, found "${name}"`)
  return found
}

/** The room of this run. */
export const chosen = (): Room => roomOf(process.env["MUTATION_ROOM"] ?? "")

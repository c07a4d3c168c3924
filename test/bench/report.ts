/**
 * The report: `docs/internals/benchmarks.md`.
 */
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Prettier from "prettier"
import * as Qemu from "../support/qemu/qemu.ts"
import * as Cell from "./cell.ts"
import { notes } from "./notes.ts"
import type { Settings } from "./settings.ts"
import { markdown, ofCell } from "./table.ts"
import type { Verdict } from "./targets.ts"

const GIB = 1024 ** 3

/** Everything that was measured. */
export interface Results {
  readonly cells: ReadonlyArray<Cell.Cell>
  readonly verdicts: ReadonlyArray<Verdict>
}

const filesystemOf = (path: string): string =>
  ChildProcess.execFileSync("df", ["--output=fstype", path], { encoding: "utf8" }).split("\n")[1]!.trim()

const machine = ({ disk, rounds, size }: Settings): string => {
  const { installed } = Qemu
  const qemu = installed === undefined ? "none" : `${installed.major}.${installed.minor}.${installed.micro}`
  return [
    `- ${Os.availableParallelism()} × ${Os.cpus()[0]!.model}, ${(Os.totalmem() / GIB).toFixed(0)} GiB, Linux ${Os.release()}`,
    `- Node ${process.versions.node}, QEMU ${qemu}, disk: ${filesystemOf(disk)}`,
    `- ${size / GIB} GiB of RAM, medians of ${rounds} rounds`
  ].join("\n")
}

/** The table of verdicts. */
export const verdictTable = (verdicts: ReadonlyArray<Verdict>): string =>
  markdown(
    ["target", "wanted", "found", "verdict"],
    verdicts.map(({ found, met, missed, wanted, what }) => [what, wanted, found, met ? "met" : `missed by ${missed}`])
  )

const missedNotes = (verdicts: ReadonlyArray<Verdict>): string =>
  notes
    .filter(({ about }) => verdicts.some(({ met, what }) => !met && about.test(what)))
    .map(({ what, why }) => `- ${what}: ${why}`)
    .join("\n")

const document = ({ cells, verdicts }: Results, settings: Settings): string => `# Benchmarks

Written by \`npm run bench\`. The last section explains the measurement.

${machine(settings)}

## Verdicts

${verdictTable(verdicts)}

${missedNotes(verdicts)}

## Times

${cells.map((cell) => `### ${Cell.title(cell.work)}\n\n${ofCell(cell)}`).join("\n\n")}

## How it is measured

Every variant works on the same RAM, a file in shared memory, and its bytes are checked once before anything is timed.
Then the variants take turns, each in a new process for each measurement, and each round begins with another one. Before
each measurement everything is synced, as much memory as it may need is taken from the host and given back to the kernel, and
a file twice as large as RAM is written where the measurement writes, and removed, so that the next file gets the same pages: on a virtual
machine, memory that has gone back to its host costs several times as much to touch. Since a kernel gives back what is free 2 s
after something was freed, such as by the process that has just got ready, those are waited for first; ours collects its garbage
before. All along, a file in shared memory holds every second 128 KiB of as much memory as RAM takes sixteen times: what is free between
them is too small to be given back.
Times on shared machines drift by a factor of two within an hour; only the ratios within one table mean something.

- **Limit**: \`test/bench/limit.c\`, plain positional I/O with one thread per core; RAM is mapped and populated. On disk with one
  more thread that makes durable what has been written, every 64 MiB, and with neighbouring runs merged.
- **QEMU**: a paused guest whose main memory is the file (\`share=on\`, mapped in advance), mapped-ram and multifd over 1, 2
  and 4 channels, from the \`migrate\` command to the event that it has completed. QEMU never syncs: an fdatasync follows and
  counts. A load goes into a new guest. QEMU asks for huge pages for private memory by itself.
- **effect-multifd**: \`Migration.save\` and \`Image.open\` with \`Migration.restore\`, in a process that has done a few small
  saves and restores before. Default settings, but without checksums, which the others do not make; what they cost stands
  among the verdicts, from saves with them and without in turns in one process (the lower quartiles: this disk adds more now and then than they cost). \`memory\` is a \`Uint8Array\`, \`file\` the file in shared memory. Huge pages
  come from \`GLIBC_TUNABLES=glibc.malloc.hugetlb=1\` in the environment.

Migrations go over TCP within the machine, from a process to another, with the same channels on both sides; both ends lie
in shared memory. The time is that from the command until both sides have everything.

- **QEMU** sends the RAM of a paused guest whose main memory is a file, and receives into a new guest like it.
- **effect-multifd** sends an image that QEMU saved (\`Migration.send\`), and receives into a new image (\`Migration.receive\`),
  without checksums.
- **bare Node** is the limit: the file of RAM is read, written to as many sockets, and what comes out of them is written
  into a new file, with two buffers of 1 MiB for each connection on both sides. There is none for compression.

All restores are from the image that QEMU saved, which is in the page cache; ours and the limit's leave out the device
state and the ROMs, less than 1 MiB.
`

/** Writes the report. */
export const write = async (path: string, results: Results, settings: Settings): Promise<void> => {
  const options = await Prettier.resolveConfig(path)
  await Fs.mkdir(Path.dirname(path), { recursive: true })
  await Fs.writeFile(path, await Prettier.format(document(results, settings), { ...options, parser: "markdown" }))
}

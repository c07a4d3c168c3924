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

Every variant works on the same RAM, a file in shared memory. Its bytes are checked once before anything is timed. Then
the variants take turns. Each measurement runs in a new process, and each round begins with another variant.

On a virtual machine, memory that has gone back to its host costs several times as much to touch. So before each
measurement:

- everything is synced;
- as much memory as the measurement may need is taken from the host and given back to the kernel;
- a file twice as large as RAM is written where the measurement writes, and removed, so that the next file gets the same
  pages;
- the measurement waits until 2 s after the last process freed memory, because the kernel gives free memory back to the
  host then. Our process collects its garbage first.

Throughout, a file in shared memory holds every second 128 KiB of sixteen times as much memory as RAM. The gaps between
them are too small to be given back. Times on shared machines drift by a factor of two within an hour: compare only the
ratios within one table.

- **Limit**: \`test/bench/limit.c\`, plain positional I/O with one thread per core. RAM is mapped and populated. On disk,
  one more thread makes the written data durable every 64 MiB, and neighbouring runs are merged.
- **QEMU**: a paused guest whose main memory is the file (\`share=on\`, mapped in advance), with mapped-ram and multifd
  over 1, 2 and 4 channels. The time runs from the \`migrate\` command to the event that completes it. QEMU never syncs,
  so an fdatasync follows and counts. A load goes into a new guest. QEMU asks for huge pages for private memory by
  itself.
- **effect-multifd**: \`Migration.save\`, and \`Image.open\` with \`Migration.restore\`, in a process that has done a few
  small saves and restores before. The settings are the defaults, but without checksums, because the others make none.
  The verdicts list the cost of checksums: saves with and without them take turns in one process, and the lower
  quartiles are compared, because this disk is slower now and then by more than that cost. \`memory\` is a \`Uint8Array\`,
  \`file\` the file in shared memory. Huge pages come from \`GLIBC_TUNABLES=glibc.malloc.hugetlb=1\` in the environment.

Migrations go over TCP from one process to another on the same machine, with the same number of channels on both sides.
The memory of both ends is in shared memory. The time runs from the command until both sides have everything.

- **QEMU** sends the RAM of a paused guest whose main memory is a file, and receives into a new guest like it.
- **effect-multifd** sends an image that QEMU saved (\`Migration.send\`), and receives into a new image
  (\`Migration.receive\`), without checksums.
- **bare Node** is the limit: it reads the file of RAM, writes it to as many sockets, and writes what arrives into a new
  file, with two buffers of 1 MiB for each connection on both sides. There is none for compression.

All restores read the image that QEMU saved, which is in the page cache. Ours and the limit leave out the device state
and the ROMs, less than 1 MiB.
`

/** Writes the report. */
export const write = async (path: string, results: Results, settings: Settings): Promise<void> => {
  const options = await Prettier.resolveConfig(path)
  await Fs.mkdir(Path.dirname(path), { recursive: true })
  await Fs.writeFile(path, await Prettier.format(document(results, settings), { ...options, parser: "markdown" }))
}

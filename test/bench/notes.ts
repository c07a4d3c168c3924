/**
 * Why a target may be missed, for the report: shown only where it was.
 */

/** The reason, for the targets whose name matches. */
export interface Note {
  readonly about: RegExp
  /** What they have in common. */
  readonly what: string
  readonly why: string
}

export const notes: ReadonlyArray<Note> = [
  {
    about: /^save to disk: alternating/,
    what: "Alternating pages to disk",
    why:
      "gaps of a page are written along, so twice as much is written as QEMU writes. That pays several times over where a disk takes " +
      "many small writes badly; this one takes them well, and the C limit is no faster than QEMU here, either."
  },
  {
    about: /^save to tmpfs: alternating/,
    what: "Alternating pages to tmpfs",
    why:
      "the gaps are copied for nothing. Written page by page (`coalescePages: 0`), the calls cost more than the gaps: 10 µs of " +
      "processor time for a page through Node's threads against 4 µs for two pages at once."
  },
  {
    about: /^save to (?:tmpfs|disk): (?:random|half-zero|zero)/,
    what: "Saving",
    why:
      "the best of QEMU's three counts, and it copies from RAM that it has mapped, with a thread for each channel; the C program, which does " +
      "nothing else, takes as long as ours for random pages. Times to this disk scatter by a factor of two to three, and half-zero RAM to a " +
      "tmpfs took 180 ms in one run and 369 in another."
  },
  {
    about: /^restore into a shared-memory file/,
    what: "Restoring into a file",
    why: "each page is copied twice, into a buffer and out of it, where QEMU reads into the mapping."
  },
  {
    about: /^restore into private memory/,
    what: "Restoring into private memory",
    why: "plain reads of Node into the same memory take as long: fresh memory is what it waits for."
  },
  {
    about: /^migrate .* compression none/,
    what: "Migrations without compression",
    why:
      "Node copies each page once more than QEMU, between a socket and a file, and all packets pass through one thread. For a GiB both " +
      "ends together take 1 to 1.2 s of processor time in the kernel, and 0.4 to 0.5 s outside of it where bare Node takes 0.2. Where memory " +
      "comes from the host in between, everything takes up to twice as long."
  },
  {
    about: /^migrate .* compression z/,
    what: "Migrations with compression",
    why: "the libraries that compress are the same; the pages are copied to them and from them, beside what a migration without takes."
  },
  {
    about: /^event-loop delay/,
    what: "The event loop",
    why: "the threads that write and the event loop share two processors; no stretch of the library's own work is longer than 2 ms."
  },
  {
    about: /^checksums/,
    what: "Checksums",
    why:
      "CRC-32 takes the event loop's thread 0.2 to 0.25 s for each GiB: 5 GB/s is what `zlib.crc32` does here with 1 MiB at a time, 4.3 with pages. " +
      "Random pages take the threads that write about as long, so most of it goes on beside them; half of the pages are written faster than that."
  }
]

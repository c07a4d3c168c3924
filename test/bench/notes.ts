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
    why:
      "by themselves, with two channels and no socket (`node test/bench/compression.ts`), zstd does 0.87 to 1.05 times and zlib 1.08 to 1.20 times as " +
      "much as QEMU's in a second of processor time: that is the most that a migration could reach, and the ratio in which zlib's was to be " +
      "ahead is that of other processors. In a migration the pages are copied to the library and from it, and a packet is a trip to " +
      "another thread and back on both sides, in which that channel's stream stands still."
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
      "CRC-32 of the processor (`@node-rs/crc32`) takes the event loop's thread 0.12 to 0.15 s for each GiB, half of what `zlib.crc32` " +
      "takes, which Node builds with tables; without that package the same saves cost 9 to 20 % more than without checksums. What is left goes " +
      "on beside the threads that write. From one run to the next, this disk moves the figures by 5 to 10 percentage points."
  }
]

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
      "single-page gaps are written together with their neighbours, so twice as many bytes are written as by " +
      "QEMU. That pays on disks that are slow at many small writes. This disk is fast at them, and the C limit " +
      "is no faster than QEMU here either."
  },
  {
    about: /^save to tmpfs: alternating/,
    what: "Alternating pages to tmpfs",
    why:
      "copying the gaps is wasted. Without it (`coalescePages: 0`) the calls cost more than the gaps: a page " +
      "takes 10 µs of processor time through Node's threads, two pages in one call take 4 µs."
  },
  {
    about: /^save to (?:tmpfs|disk): (?:random|half-zero|zero)/,
    what: "Saving",
    why:
      "QEMU counts with the best of three numbers of channels. It copies from mapped RAM, with a thread for each " +
      "channel. For random pages, the C program, which does nothing else, takes as long as we do. Times to this " +
      "disk scatter by a factor of two to three, and half-zero RAM to tmpfs took 180 ms in one run and 369 ms in " +
      "another."
  },
  {
    about: /^restore into a shared-memory file/,
    what: "Restoring into a file",
    why: "each page is copied twice, into a buffer and out of it. QEMU reads into the mapping."
  },
  {
    about: /^restore into private memory/,
    what: "Restoring into private memory",
    why: "plain Node reads into the same memory take as long. Most of the time goes into touching fresh memory."
  },
  {
    about: /^migrate .* compression none/,
    what: "Migrations without compression",
    why:
      "Node copies each page once more than QEMU, between a socket and a file, and all packets pass through one " +
      "thread. For one GiB, both ends together take 1 to 1.2 s of processor time in the kernel. Outside the " +
      "kernel they take 0.4 to 0.5 s, and bare Node takes 0.2 s. If the host has to supply memory in the " +
      "meantime, everything takes up to twice as long."
  },
  {
    about: /^migrate .* compression z/,
    what: "Migrations with compression",
    why:
      "alone, with two channels and no socket (`node test/bench/compression.ts`), zstd does 0.87 to 1.05 times " +
      "as much as QEMU in a second of processor time, and zlib 1.08 to 1.20 times. No migration can do better, " +
      "and the target for zlib comes from other processors. In a migration, the pages are copied to the library " +
      "and back, and each packet makes a round trip to another thread on both sides. The stream of its channel " +
      "waits for that."
  },
  {
    about: /^event-loop delay/,
    what: "The event loop",
    why:
      "the threads that write share two processors with the event loop. No stretch of the library's own work is " +
      "longer than 2 ms."
  },
  {
    about: /^checksums/,
    what: "Checksums",
    why:
      "hardware CRC-32 (`@node-rs/crc32`) takes 0.12 to 0.15 s of the event loop's thread for each GiB. " +
      "`zlib.crc32`, which Node builds with tables, takes twice that: without the package, the same saves take 9 " +
      "to 20 % longer than without checksums. The remaining work runs beside the threads that write. From one " +
      "run to the next, this disk moves the figures by 5 to 10 percentage points."
  }
]

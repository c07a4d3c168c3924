/**
 * The exit codes of the command, which follow from the class of an error.
 *
 * @internal
 */
export const exitCodes: ReadonlyArray<readonly [code: number, meaning: string]> = [
  [0, "success"],
  [1, "unexpected error: a bug in this program, reported with a stack trace"],
  [2, "usage error, or a request that the files or the machine cannot satisfy"],
  [3, "not a migration image, or an unsupported kind of image"],
  [4, "corrupt image"],
  [5, "truncated image or file"],
  [6, "input or output failed"],
  [7, "no space left"],
  [8, "the peer broke the protocol, or TLS refused it"],
  [9, "the peer timed out"],
  [10, "QEMU refused a command, or its side of the migration failed"],
  [11, "the compared machines differ in memory (multifd diff)"],
  [12, "recovered with losses: pages, or the device state, are missing"],
  [130, "interrupted by SIGINT, SIGTERM or SIGHUP; everything was closed and cleaned up"]
]

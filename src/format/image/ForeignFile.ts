/**
 * Files that are no images of ours, recognised by what they begin with: what each is, and the way on.
 *
 * @since 0.1.0
 */

/**
 * What a file is, and what can be done with it.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface ForeignFile {
  readonly kind: string
  /** Completes "found …". */
  readonly what: string
  /** What to do instead. */
  readonly wayOn: string
}

/** Bytes at a position: all of them have to be there. */
interface Magic {
  readonly at: number
  /** Hexadecimal digits. */
  readonly bytes: string
}

interface Fact extends ForeignFile {
  /** One of these is enough; each is all of its parts. */
  readonly magics: ReadonlyArray<ReadonlyArray<Magic>>
}

const text = (value: string, at = 0): Magic => ({ at, bytes: Buffer.from(value, "latin1").toString("hex") })
const hex = (bytes: string, at = 0): Magic => ({ at, bytes })

const decompress = (tool: string): string => `decompress it first: ${tool} FILE > vm.img`

const NOT_OURS =
  "start the machine there, and its disk in QEMU (qemu-img convert); memory does not go from one to the other"

const facts: ReadonlyArray<Fact> = [
  {
    kind: "qcow2",
    what: "a disk of QEMU (qcow2)",
    wayOn: "a snapshot with memory in it is loaded by QEMU (-loadvm), and multifd capture takes it from there",
    magics: [[hex("514649fb")]]
  },
  {
    kind: "elf-core",
    what: "an ELF core dump (dump-guest-memory, virsh dump --memory-only)",
    wayOn: "it has no device state, so no machine goes on from it; gdb and crash read it",
    magics: [
      [hex("7f454c46"), hex("01", 5), hex("0400", 16)],
      [hex("7f454c46"), hex("02", 5), hex("0004", 16)]
    ]
  },
  {
    kind: "elf",
    what: "an ELF file that is no core dump",
    wayOn: "check the path",
    magics: [[hex("7f454c46")]]
  },
  {
    kind: "kdump",
    what: "a dump for crash (kdump, compressed)",
    wayOn: "it has no device state, so no machine goes on from it; crash reads it",
    magics: [[text("KDUMP   ")], [text("DISKDUMP")], [text("makedumpfile\0")]]
  },
  {
    kind: "windows-dump",
    what: "a crash dump of Windows",
    wayOn: "it has no device state, so no machine goes on from it; WinDbg reads it",
    magics: [[text("PAGEDU64")], [text("PAGEDUMP")]]
  },
  { kind: "gzip", what: "a file that gzip compressed", wayOn: decompress("gzip -dc"), magics: [[hex("1f8b")]] },
  { kind: "zstd", what: "a file that zstd compressed", wayOn: decompress("zstd -dc"), magics: [[hex("28b52ffd")]] },
  { kind: "xz", what: "a file that xz compressed", wayOn: decompress("xz -dc"), magics: [[hex("fd377a585a00")]] },
  { kind: "bzip2", what: "a file that bzip2 compressed", wayOn: decompress("bzip2 -dc"), magics: [[text("BZh")]] },
  { kind: "lzop", what: "a file that lzop compressed", wayOn: decompress("lzop -dc"), magics: [[hex("894c5a4f")]] },
  { kind: "lz4", what: "a file that lz4 compressed", wayOn: decompress("lz4 -dc"), magics: [[hex("04224d18")]] },
  { kind: "zip", what: "a zip archive", wayOn: "unpack it first: unzip FILE", magics: [[hex("504b0304")]] },
  { kind: "tar", what: "a tar archive", wayOn: "unpack it first: tar -xf FILE", magics: [[text("ustar", 257)]] },
  {
    kind: "vmware-disk",
    what: "a disk of VMware",
    wayOn: "qemu-img convert takes it to QEMU; it holds no memory",
    magics: [[text("KDMV")], [text("COWD")], [text("# Disk DescriptorFile")]]
  },
  {
    kind: "vmware-state",
    what: "the saved state of a machine of VMware",
    wayOn: NOT_OURS,
    magics: [[hex("d0bed0be")], [hex("d1bad1ba")], [hex("d2bed2be")], [hex("d3bed3be")]]
  },
  {
    kind: "virtualbox-disk",
    what: "a disk of VirtualBox",
    wayOn: "qemu-img convert takes it to QEMU; it holds no memory",
    magics: [[hex("7f10dabe", 64)]]
  },
  {
    kind: "virtualbox-state",
    what: "the saved state of a machine of VirtualBox",
    wayOn: NOT_OURS,
    magics: [[text("\x7fVirtualBox SavedState")]]
  },
  {
    kind: "hyper-v-disk",
    what: "a disk of Hyper-V",
    wayOn: "qemu-img convert takes it to QEMU; it holds no memory",
    magics: [[text("vhdxfile")], [text("conectix")]]
  },
  {
    kind: "firecracker",
    what: "the state of a microVM of Firecracker",
    wayOn: "its memory lies in a file of its own, which multifd save --block ID=FILE takes",
    magics: [[hex("0000648684191007")], [hex("0000aaaa84191007")]]
  },
  {
    kind: "xen",
    what: "a saved domain of Xen",
    wayOn: "xl restore loads it; QEMU cannot",
    magics: [[text("LibxlFmt")], [text("LinuxGuestRecord")]]
  },
  {
    kind: "luks",
    what: "a LUKS volume",
    wayOn: "open it first (cryptsetup open), and name what it holds",
    magics: [[hex("4c554b53babe")]]
  }
]

/**
 * Bytes at the beginning of a file that are enough to recognise it.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const HEAD_LENGTH: number = 512

/**
 * A file without any bytes.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const emptyFile: ForeignFile = {
  kind: "empty",
  what: "an empty file",
  wayOn: "nothing was saved into it, or what saved failed at once; look there"
}

/**
 * A migration stream whose pages lie one behind the other: QEMU writes it into a file without `mapped-ram`, or to `exec:`.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const plainStream: ForeignFile = {
  kind: "plain-stream",
  what: "a plain migration stream",
  wayOn: "multifd receive --channels 0 makes an image of what is sent to it: socat -u FILE UNIX-CONNECT:SOCKET"
}

const isThere = (head: Uint8Array, { at, bytes }: Magic): boolean => {
  const magic = Buffer.from(bytes, "hex")
  return magic.equals(head.subarray(at, at + magic.length))
}

/**
 * Recognises a file by its first `HEAD_LENGTH` bytes, or by all of a shorter one. `undefined` where nothing is known of it.
 *
 * **Example** (What gzip wrote)
 *
 * ```ts
 * import { ForeignFile } from "effect-multifd/format"
 *
 * ForeignFile.recognise(Uint8Array.of(0x1f, 0x8b, 8))?.kind // => "gzip"
 * ```
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const recognise = (head: Uint8Array): ForeignFile | undefined => {
  if (head.length === 0) return emptyFile
  return facts.find(({ magics }) => magics.some((parts) => parts.every((part) => isThere(head, part))))
}

/**
 * What was found, in words that go into a message.
 *
 * @stability unstable
 * @category formatting
 * @since 0.1.0
 */
export const describe = ({ wayOn, what }: ForeignFile): string => `${what}; ${wayOn}`

/**
 * Files that are not images, recognised by their first bytes: the kind of each and the next step.
 *
 * @since 0.1.0
 */

/**
 * A kind of file, and the action to take.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface ForeignFile {
  readonly kind: string
  /** Completes "found …". */
  readonly what: string
  /** The suggested action. */
  readonly wayOn: string
}

/** Bytes at a position, all of which must match. */
interface Magic {
  readonly at: number
  /** Hexadecimal digits. */
  readonly bytes: string
}

interface Fact extends ForeignFile {
  /** One of these must match, with all of its parts. */
  readonly magics: ReadonlyArray<ReadonlyArray<Magic>>
}

const text = (value: string, at = 0): Magic => ({ at, bytes: Buffer.from(value, "latin1").toString("hex") })
const hex = (bytes: string, at = 0): Magic => ({ at, bytes })

const decompress = (tool: string): string => `decompress it first: ${tool} FILE > vm.img`

const NOT_OURS =
  "start the machine there, and its disk in QEMU (qemu-img convert); memory cannot be moved from one to the other"

const facts: ReadonlyArray<Fact> = [
  {
    kind: "qcow2",
    what: "a QEMU disk image (qcow2)",
    wayOn: "if it holds a snapshot with memory, load it with QEMU (-loadvm) and use multifd capture",
    magics: [[hex("514649fb")]]
  },
  {
    kind: "elf-core",
    what: "an ELF core dump (dump-guest-memory, virsh dump --memory-only)",
    wayOn: "it has no device state, so no machine can resume from it; gdb and crash can read it",
    magics: [
      [hex("7f454c46"), hex("01", 5), hex("0400", 16)],
      [hex("7f454c46"), hex("02", 5), hex("0004", 16)]
    ]
  },
  {
    kind: "elf",
    what: "an ELF file that is not a core dump",
    wayOn: "check the path",
    magics: [[hex("7f454c46")]]
  },
  {
    kind: "kdump",
    what: "a kdump (compressed dump for crash)",
    wayOn: "it has no device state, so no machine can resume from it; crash can read it",
    magics: [[text("KDUMP   ")], [text("DISKDUMP")], [text("makedumpfile\0")]]
  },
  {
    kind: "windows-dump",
    what: "a Windows crash dump",
    wayOn: "it has no device state, so no machine can resume from it; WinDbg can read it",
    magics: [[text("PAGEDU64")], [text("PAGEDUMP")]]
  },
  { kind: "gzip", what: "a gzip file", wayOn: decompress("gzip -dc"), magics: [[hex("1f8b")]] },
  { kind: "zstd", what: "a zstd file", wayOn: decompress("zstd -dc"), magics: [[hex("28b52ffd")]] },
  { kind: "xz", what: "an xz file", wayOn: decompress("xz -dc"), magics: [[hex("fd377a585a00")]] },
  { kind: "bzip2", what: "a bzip2 file", wayOn: decompress("bzip2 -dc"), magics: [[text("BZh")]] },
  { kind: "lzop", what: "an lzop file", wayOn: decompress("lzop -dc"), magics: [[hex("894c5a4f")]] },
  { kind: "lz4", what: "an lz4 file", wayOn: decompress("lz4 -dc"), magics: [[hex("04224d18")]] },
  { kind: "zip", what: "a zip archive", wayOn: "unpack it first: unzip FILE", magics: [[hex("504b0304")]] },
  { kind: "tar", what: "a tar archive", wayOn: "unpack it first: tar -xf FILE", magics: [[text("ustar", 257)]] },
  {
    kind: "vmware-disk",
    what: "a VMware disk image",
    wayOn: "qemu-img convert makes a QEMU disk of it; it holds no memory",
    magics: [[text("KDMV")], [text("COWD")], [text("# Disk DescriptorFile")]]
  },
  {
    kind: "vmware-state",
    what: "the saved state of a VMware machine",
    wayOn: NOT_OURS,
    magics: [[hex("d0bed0be")], [hex("d1bad1ba")], [hex("d2bed2be")], [hex("d3bed3be")]]
  },
  {
    kind: "virtualbox-disk",
    what: "a VirtualBox disk image",
    wayOn: "qemu-img convert makes a QEMU disk of it; it holds no memory",
    magics: [[hex("7f10dabe", 64)]]
  },
  {
    kind: "virtualbox-state",
    what: "the saved state of a VirtualBox machine",
    wayOn: NOT_OURS,
    magics: [[text("\x7fVirtualBox SavedState")]]
  },
  {
    kind: "hyper-v-disk",
    what: "a Hyper-V disk image",
    wayOn: "qemu-img convert makes a QEMU disk of it; it holds no memory",
    magics: [[text("vhdxfile")], [text("conectix")]]
  },
  {
    kind: "firecracker",
    what: "the state of a Firecracker microVM",
    wayOn: "its memory is in a separate file: multifd save --block ID=FILE",
    magics: [[hex("0000648684191007")], [hex("0000aaaa84191007")]]
  },
  {
    kind: "xen",
    what: "a saved Xen domain",
    wayOn: "xl restore loads it; QEMU cannot",
    magics: [[text("LibxlFmt")], [text("LinuxGuestRecord")]]
  },
  {
    kind: "luks",
    what: "a LUKS volume",
    wayOn: "open it first (cryptsetup open), and name the device that this creates",
    magics: [[hex("4c554b53babe")]]
  }
]

/**
 * Bytes at the start of a file that suffice to recognise it.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const HEAD_LENGTH: number = 512

/**
 * An empty file.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const emptyFile: ForeignFile = {
  kind: "empty",
  what: "an empty file",
  wayOn: "nothing was saved into it, or the save failed at once; check the program that wrote it"
}

/**
 * A migration stream with its pages one after another: QEMU's output to a file without `mapped-ram`, or to `exec:`.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const plainStream: ForeignFile = {
  kind: "plain-stream",
  what: "a plain migration stream",
  wayOn: "multifd receive --channels 0 makes an image of it; send it with: socat -u FILE UNIX-CONNECT:SOCKET"
}

const isThere = (head: Uint8Array, { at, bytes }: Magic): boolean => {
  const magic = Buffer.from(bytes, "hex")
  return magic.equals(head.subarray(at, at + magic.length))
}

/**
 * Recognises a file by its first `HEAD_LENGTH` bytes, or by all bytes of a shorter one. `undefined` if the file is
 * unknown.
 *
 * **Example** (A gzip file)
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
 * Describes the file for an error message.
 *
 * @stability unstable
 * @category formatting
 * @since 0.1.0
 */
export const describe = ({ wayOn, what }: ForeignFile): string => `${what}; ${wayOn}`

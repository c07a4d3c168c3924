import * as Fs from "node:fs"
import { isAligned } from "../../io/files/AlignedMemory.ts"
import type { Stat } from "../../io/files/FileCalls.ts"
import { errnoError } from "./nodeForm.ts"
import { CHUNK } from "./sparseBytes.ts"
import type { Entry, Tree, TreeNode } from "./tree.ts"

const flag = Fs.constants

/** The unit of direct I/O. */
const DIRECT_UNIT = 512

/** The largest file: positions are numbers. */
const MAX_SIZE = 2 ** 53 - 1

interface Open {
  readonly node: TreeNode
  readonly path: string
  readonly flags: number
}

interface KernelOptions {
  readonly capacity: number
  readonly directIo: boolean
  readonly now: () => number
}

const isWritable = (flags: number): boolean => (flags & (flag.O_WRONLY | flag.O_RDWR)) !== 0
const isReadable = (flags: number): boolean => (flags & flag.O_WRONLY) === 0

/**
 * The system calls on a tree of nodes, each done at once, with the kernel's results: short counts at the end of space,
 * errors by name, the lowest free number for a new descriptor. A failure is thrown in Node's form.
 *
 * @internal
 */
export class Kernel {
  readonly #tree: Tree
  readonly #capacity: number
  readonly #directIo: boolean
  readonly #now: () => number
  readonly #descriptors = new Map<number, Open>()

  constructor(tree: Tree, options: KernelOptions) {
    this.#tree = tree
    this.#capacity = options.capacity
    this.#directIo = options.directIo
    this.#now = options.now
  }

  openPaths(): ReadonlyArray<string> {
    return [...this.#descriptors.values()].map(({ path }) => path)
  }

  /** `true` if opening waits forever: nothing is at the other end of a FIFO. */
  blocks(path: string): boolean {
    return this.#tree.find(path)?.kind === "fifo"
  }

  open(path: string, flags: number, mode: number): number {
    const exclusive = (flags & flag.O_CREAT) !== 0 && (flags & flag.O_EXCL) !== 0
    const entry = this.#tree.resolve("open", path, !exclusive)
    if (entry.node !== undefined && exclusive) throw errnoError("EEXIST", "open", path)
    const node = entry.node === undefined ? this.#create(entry, flags, mode) : this.#access(entry.node, path, flags)
    if ((flags & flag.O_DIRECT) !== 0 && !this.#directIo) throw errnoError("EINVAL", "open", path)
    if ((flags & flag.O_TRUNC) !== 0) this.#tree.record({ _tag: "Truncate", node: node.id, length: 0 })
    const fd = this.#lowestFree()
    this.#descriptors.set(fd, { node, path: entry.path, flags })
    return fd
  }

  close(fd: number): void {
    this.#descriptor("close", fd)
    this.#descriptors.delete(fd)
  }

  read(fd: number, target: Uint8Array, position: number): number {
    const open = this.#descriptor("read", fd)
    if (!isReadable(open.flags)) throw errnoError("EBADF", "read", open.path)
    this.#checkTransfer("read", open, target, position)
    return open.node.content.read(position, target)
  }

  write(fd: number, data: Uint8Array, position: number): number {
    const open = this.#descriptor("write", fd)
    if (!isWritable(open.flags)) throw errnoError("EBADF", "write", open.path)
    this.#checkTransfer("write", open, data, position)
    if (open.node.kind === "character device") return data.length
    const length = Math.min(data.length, this.#room(open.node, position, data.length))
    if (length === 0 && data.length > 0) throw errnoError("ENOSPC", "write", open.path)
    open.node.modified = this.#now()
    this.#tree.record({ _tag: "Write", node: open.node.id, position, bytes: new Uint8Array(data.subarray(0, length)) })
    return length
  }

  sync(syscall: string, fd: number): void {
    const { node, path } = this.#descriptor(syscall, fd)
    if (node.kind === "character device") throw errnoError("EINVAL", syscall, path)
    this.#tree.record({ _tag: "Sync", node: node.id })
  }

  truncate(fd: number, length: number): void {
    const { flags, node, path } = this.#descriptor("ftruncate", fd)
    if (node.kind !== "file" || !isWritable(flags) || length < 0) throw errnoError("EINVAL", "ftruncate", path)
    node.modified = this.#now()
    this.#tree.record({ _tag: "Truncate", node: node.id, length })
  }

  chmod(fd: number, mode: number): void {
    this.#descriptor("fchmod", fd).node.mode = mode & 0o7777
  }

  chown(fd: number, uid: number, gid: number): void {
    Object.assign(this.#descriptor("fchown", fd).node, { uid, gid })
  }

  fstat(fd: number): Stat {
    return this.#descriptor("fstat", fd).node.stat()
  }

  stat(path: string): Stat {
    return this.#existing("stat", path, true).node.stat()
  }

  readlink(path: string): string {
    const { node } = this.#existing("readlink", path, false)
    if (node.kind !== "link") throw errnoError("EINVAL", "readlink", path)
    return node.link
  }

  realpath(path: string): string {
    return this.#existing("realpath", path, true).path
  }

  rename(from: string, to: string): void {
    const { node, ...source } = this.#tree.resolve("rename", from, false)
    const target = this.#tree.resolve("rename", to, false)
    if (node === undefined) throw errnoError("ENOENT", "rename", from)
    if (target.node?.kind === "directory") throw errnoError("EISDIR", "rename", to)
    this.#checkDirectory("rename", source)
    this.#checkDirectory("rename", target)
    if (target.node === node) return
    const names = [
      { directory: source.parent.id, name: source.name, node: undefined },
      { directory: target.parent.id, name: target.name, node: node.id }
    ]
    this.#tree.record({ _tag: "Names", names })
  }

  unlink(path: string): void {
    const entry = this.#existing("unlink", path, false)
    if (entry.node.kind === "directory") throw errnoError("EISDIR", "unlink", path)
    this.#checkDirectory("unlink", entry)
    const names = [{ directory: entry.parent.id, name: entry.name, node: undefined }]
    this.#tree.record({ _tag: "Names", names })
  }

  link(from: string, to: string): void {
    const { node } = this.#existing("link", from, false)
    const target = this.#tree.resolve("link", to, false)
    if (node.kind === "directory") throw errnoError("EPERM", "link", from)
    this.#addName("link", target, node)
  }

  mkdir(path: string, mode: number): void {
    const target = this.#tree.resolve("mkdir", path, false)
    this.#addName("mkdir", target, () => this.#tree.create("directory", mode))
  }

  readdir(path: string): ReadonlyArray<string> {
    const { node } = this.#existing("readdir", path, true)
    if (node.kind !== "directory") throw errnoError("ENOTDIR", "readdir", path)
    return [...node.entries.keys()]
  }

  #addName(syscall: string, target: Entry, node: TreeNode | (() => TreeNode)): void {
    if (target.node !== undefined) throw errnoError("EEXIST", syscall, target.path)
    this.#checkDirectory(syscall, target)
    const { id } = typeof node === "function" ? node() : node
    this.#tree.record({ _tag: "Names", names: [{ directory: target.parent.id, name: target.name, node: id }] })
  }

  #descriptor(syscall: string, fd: number): Open {
    const open = this.#descriptors.get(fd)
    if (open === undefined) throw errnoError("EBADF", syscall)
    return open
  }

  #lowestFree(): number {
    let fd = 3
    while (this.#descriptors.has(fd)) fd++
    return fd
  }

  #existing(syscall: string, path: string, follow: boolean): Entry & { readonly node: TreeNode } {
    const { node, ...entry } = this.#tree.resolve(syscall, path, follow)
    if (node === undefined) throw errnoError("ENOENT", syscall, path)
    return { ...entry, node }
  }

  #checkDirectory(syscall: string, { parent, path }: Pick<Entry, "parent" | "path">): void {
    if ((parent.mode & 0o200) === 0) throw errnoError("EACCES", syscall, path)
  }

  #create(entry: Entry, flags: number, mode: number): TreeNode {
    if ((flags & flag.O_CREAT) === 0) throw errnoError("ENOENT", "open", entry.path)
    this.#checkDirectory("open", entry)
    const node = this.#tree.create("file", mode)
    node.modified = this.#now()
    const names = [{ directory: entry.parent.id, name: entry.name, node: node.id }]
    this.#tree.record({ _tag: "Names", names })
    return node
  }

  #access(node: TreeNode, path: string, flags: number): TreeNode {
    const isDirectory = node.kind === "directory"
    if ((flags & flag.O_DIRECTORY) !== 0 && !isDirectory) throw errnoError("ENOTDIR", "open", path)
    if (isDirectory && isWritable(flags)) throw errnoError("EISDIR", "open", path)
    const needed = (isReadable(flags) ? 0o400 : 0) | (isWritable(flags) ? 0o200 : 0)
    if ((node.mode & needed) !== needed) throw errnoError("EACCES", "open", path)
    return node
  }

  #checkTransfer(syscall: string, { flags, node, path }: Open, bytes: Uint8Array, position: number): void {
    if (node.kind === "directory") throw errnoError("EISDIR", syscall, path)
    if (position < 0) throw errnoError("EINVAL", syscall, path)
    if (position + bytes.length > MAX_SIZE) throw errnoError("EFBIG", syscall, path)
    if ((flags & flag.O_DIRECT) === 0) return
    if (position % DIRECT_UNIT !== 0 || bytes.length % DIRECT_UNIT !== 0 || !isAligned(bytes)) {
      throw errnoError("EINVAL", syscall, path)
    }
  }

  /** The bytes from `position` for which there is room: to the end of a device, or of the disk's free space. */
  #room(node: TreeNode, position: number, length: number): number {
    if (node.kind === "block device") return Math.max(0, node.content.size - position)
    if (this.#capacity === Number.POSITIVE_INFINITY) return length
    let free = Math.floor(this.#capacity / CHUNK) - this.#used()
    let end = position
    while (end < position + length) {
      free -= node.content.holes(end, 1)
      if (free < 0) break
      end = (Math.floor(end / CHUNK) + 1) * CHUNK
    }
    return end - position
  }

  /** Chunks of all files that have a name or are open. */
  #used(): number {
    const named = [...this.#tree.names()].map(([, node]) => node)
    const open = [...this.#descriptors.values()].map(({ node }) => node)
    let used = 0
    for (const node of new Set([...named, ...open])) used += node.kind === "file" ? node.content.allocated : 0
    return used
  }
}

import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Invariant from "../../ram/Invariant.ts"
import type { Stat } from "../../io/files/FileCalls.ts"
import { errnoError } from "./nodeForm.ts"
import { CHUNK, SparseBytes } from "./sparseBytes.ts"

/** Most links that Linux follows before it returns ELOOP. */
const MAX_LINKS = 40

const types = {
  file: Fs.constants.S_IFREG,
  directory: Fs.constants.S_IFDIR,
  link: Fs.constants.S_IFLNK,
  "block device": Fs.constants.S_IFBLK,
  "character device": Fs.constants.S_IFCHR,
  fifo: Fs.constants.S_IFIFO,
  socket: Fs.constants.S_IFSOCK
}

/** @internal */
export type NodeKind = keyof typeof types

/**
 * The file or directory of a name.
 *
 * @internal
 */
export class TreeNode {
  readonly id: number
  readonly kind: NodeKind
  /** The target of a link. */
  readonly link: string
  mode: number
  uid = 0
  gid = 0
  modified = 0
  readonly content = new SparseBytes()
  readonly entries = new Map<string, TreeNode>()

  constructor(id: number, kind: NodeKind, mode: number, link: string) {
    this.id = id
    this.kind = kind
    this.mode = mode
    this.link = link
  }

  stat(): Stat {
    return {
      size: this.kind === "block device" ? 0 : this.content.size,
      mode: types[this.kind] | this.mode,
      uid: this.uid,
      gid: this.gid,
      dev: 0,
      ino: this.id,
      rdev: this.kind === "block device" || this.kind === "character device" ? 1 + this.id : 0,
      mtimeMs: this.modified,
      blocks: (this.content.allocated * CHUNK) / 512
    }
  }
}

/**
 * An event on a disk. Nodes are identified by number; a name without a node has been removed.
 *
 * @internal
 */
export type DiskEvent =
  | { readonly _tag: "Write"; readonly node: number; readonly position: number; readonly bytes: Uint8Array }
  | { readonly _tag: "Truncate"; readonly node: number; readonly length: number }
  | { readonly _tag: "Names"; readonly names: ReadonlyArray<Name> }
  | { readonly _tag: "Sync"; readonly node: number }

/** @internal */
export type Change = Exclude<DiskEvent, { readonly _tag: "Sync" }>

/** @internal */
export interface Name {
  readonly directory: number
  readonly name: string
  readonly node: number | undefined
}

/**
 * A place in the tree: a name in a directory, and its node if it exists.
 *
 * @internal
 */
export interface Entry {
  readonly path: string
  readonly parent: TreeNode
  readonly name: string
  readonly node: TreeNode | undefined
}

/**
 * Decides if an unsynced change is kept; for a write, which of its sectors are, counted in the file.
 *
 * @internal
 */
export type Keep = (change: Change) => boolean | ((sector: number) => boolean)

/** @internal */
export type Reorder = (changes: ReadonlyArray<Change>) => ReadonlyArray<Change>

/**
 * The unit that a disk writes completely or not at all.
 *
 * @internal
 */
export const SECTOR = 512

/** The remains of a change; a write may be split into pieces. */
const left = (change: Change, kept: ReturnType<Keep>): ReadonlyArray<Change> => {
  if (typeof kept === "boolean" || change._tag !== "Write") return kept === false ? [] : [change]
  const { bytes, position } = change
  const pieces: Array<Change> = []
  for (let at = 0; at < bytes.length;) {
    const sector = Math.floor((position + at) / SECTOR)
    const end = Math.min(bytes.length, (sector + 1) * SECTOR - position)
    if (kept(sector)) pieces.push({ ...change, position: position + at, bytes: bytes.subarray(at, end) })
    at = end
  }
  return pieces
}

/** The file or directories whose sync makes a change durable. */
const nodesOf = (change: Change): ReadonlyArray<number> =>
  change._tag === "Names" ? change.names.map(({ directory }) => directory) : [change.node]

/**
 * Files and directories, with their whole history. The current state is the sum of all events, so the state after a
 * power cut is the sum of some of them.
 *
 * @internal
 */
export class Tree {
  readonly nodes: Array<TreeNode> = []
  readonly history: Array<DiskEvent> = []

  constructor() {
    this.create("directory", 0o755)
  }

  get root(): TreeNode {
    return this.node(0)
  }

  /** Nodes are never taken away. */
  node(id: number): TreeNode {
    return Invariant.defined(this.nodes[id], "a node that was created stays")
  }

  create(kind: NodeKind, mode: number, link = ""): TreeNode {
    const node = new TreeNode(this.nodes.length, kind, mode, link)
    this.nodes.push(node)
    return node
  }

  record(event: DiskEvent): void {
    this.history.push(event)
    this.#apply(event)
  }

  #apply(event: DiskEvent): void {
    if (event._tag === "Write") this.node(event.node).content.write(event.position, event.bytes)
    if (event._tag === "Truncate") this.node(event.node).content.truncate(event.length)
    if (event._tag === "Names") event.names.forEach((name) => this.#rename(name))
  }

  #rename({ directory, name, node }: Name): void {
    const { entries } = this.node(directory)
    if (node === undefined) entries.delete(name)
    else entries.set(name, this.node(node))
  }

  /** Walks to a name; follows a link at its end if requested. Throws the error of the system call. */
  resolve(syscall: string, path: string, follow: boolean, links = 0): Entry {
    const absolute = Path.resolve("/", path)
    const parts = absolute === "/" ? [] : absolute.slice(1).split("/")
    let entry: Entry = { path: "/", parent: this.root, name: "", node: this.root }
    for (const [index, name] of parts.entries()) {
      const parent = entry.node
      if (parent === undefined) throw errnoError("ENOENT", syscall, path)
      if (parent.kind !== "directory") throw errnoError("ENOTDIR", syscall, path)
      const node = parent.entries.get(name)
      const rest = parts.slice(index + 1)
      if (node?.kind === "link" && (follow || rest.length > 0)) {
        if (links === MAX_LINKS) throw errnoError("ELOOP", syscall, path)
        return this.resolve(syscall, Path.resolve(entry.path, node.link, ...rest), follow, links + 1)
      }
      entry = { path: Path.join(entry.path, name), parent, name, node }
    }
    return entry
  }

  /** The node at a path, if there is one. */
  find(path: string): TreeNode | undefined {
    try {
      return this.resolve("stat", path, true).node
    } catch {
      return undefined
    }
  }

  /** Adds a new node at a path, durably, with the directories of the path. */
  put(path: string, kind: NodeKind, mode: number, link = ""): TreeNode {
    const parent = Path.dirname(path)
    const directory = this.find(parent) ?? this.put(parent, "directory", 0o755)
    const node = this.create(kind, mode, link)
    const name = { directory: directory.id, name: Path.basename(path), node: node.id }
    this.record({ _tag: "Names", names: [name] })
    this.record({ _tag: "Sync", node: directory.id })
    return node
  }

  /** Gives a file another name, durably. */
  putLink(path: string, node: TreeNode): void {
    const parent = Path.dirname(path)
    const directory = this.find(parent) ?? this.put(parent, "directory", 0o755)
    this.record({ _tag: "Names", names: [{ directory: directory.id, name: Path.basename(path), node: node.id }] })
    this.record({ _tag: "Sync", node: directory.id })
  }

  /** Every name except those of directories. */
  *names(directory: TreeNode = this.root, path = "/"): Generator<readonly [string, TreeNode]> {
    for (const [name, node] of directory.entries) {
      const child = Path.join(path, name)
      if (node.kind === "directory") yield* this.names(node, child)
      else yield [child, node]
    }
  }

  /** The changes that a power cut cannot undo: those followed by a sync of their file or directory. */
  #durable(): ReadonlySet<Change> {
    const durable = new Set<Change>()
    const synced = new Set<number>()
    for (const event of this.history.toReversed()) {
      if (event._tag === "Sync") synced.add(event.node)
      else if (nodesOf(event).some((node) => synced.has(node))) durable.add(event)
    }
    return durable
  }

  /** The tree after a power cut that spares only the unsynced changes that `keep` selects. */
  afterPowerCut(keep: Keep, reorder?: Reorder): Tree {
    const durable = this.#durable()
    const tree = new Tree()
    for (const { gid, kind, link, mode, uid } of this.nodes.slice(1)) {
      Object.assign(tree.create(kind, mode, link), { gid, uid })
    }
    const changes = this.history.filter((event) => event._tag !== "Sync")
    const isDurable = (change: Change): boolean => durable.has(change)
    const spared = (change: Change): ReadonlyArray<Change> =>
      isDurable(change) ? [change] : left(change, keep(change))
    // Changes after a sync come after all changes before it; between two syncs there is no order.
    const survivors =
      reorder === undefined
        ? changes.flatMap(spared)
        : [...changes.filter(isDurable), ...reorder(changes.filter((change) => !isDurable(change)).flatMap(spared))]
    for (const change of survivors) tree.record(change)
    for (const node of tree.nodes) tree.record({ _tag: "Sync", node: node.id })
    return tree
  }
}

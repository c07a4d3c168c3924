/**
 * Looks into the memory of machines at rest: images, snapshots of a store, and any other source.
 *
 * @since 0.1.0
 */
export * as Diff from "./Diff.ts"
export * as Dump from "./Dump.ts"
export * as Search from "./Search.ts"

/**
 * Stores of snapshots: many machines, each page once, compressed and optionally encrypted.
 *
 * @since 0.1.0
 */
export * as Check from "./Check.ts"
export * as DirectoryObjects from "./DirectoryObjects.ts"
export * as MemoryObjects from "./MemoryObjects.ts"
export * as ObjectStore from "./ObjectStore.ts"
export * as Repository from "./Repository.ts"
export * as RepositoryKeys from "./RepositoryKeys.ts"
export * as Retention from "./Retention.ts"
export * as SnapshotChain from "./SnapshotChain.ts"
export * as SnapshotError from "./SnapshotError.ts"
export * as StoreError from "./StoreError.ts"
export * as StoreSource from "./StoreSource.ts"
export * as StoreTarget from "./StoreTarget.ts"

/**
 * The compression methods of multifd, and the interface for custom ones.
 *
 * @since 0.1.0
 */
export * as Compression from "./Compression.ts"
export * as Qatzip from "./Qatzip.ts"
export * as Qpl from "./Qpl.ts"
export * as Uadk from "./Uadk.ts"
export * as Zlib from "./Zlib.ts"
export * as Zstd from "./Zstd.ts"

/**
 * A mapped-ram image: inspected, opened, verified, sealed, recovered.
 *
 * @stability stable
 * @since 0.1.0
 */
export * from "../image/Image.ts"
export { type Location, make as location } from "../image/Location.ts"
export { type Options as SealTarget, run as seal } from "../image/Seal.ts"
export { type Options as VerifyTarget, type Report as VerifyReport, run as verify } from "../image/Verify.ts"
export { type Options as RecoverOptions, type Report as RecoverReport, run as recover } from "../migration/Recover.ts"
export { load, type LoadedMemory, type LoadMemoryOptions, save, type SaveMemoryOptions } from "./savedMemory.ts"

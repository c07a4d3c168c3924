/**
 * Captures a running virtual machine into an image.
 *
 * @stability stable
 * @since 0.1.0
 */
export * from "../qemu/Capture.ts"
export type { VmOptions } from "../qemu/VmOptions.ts"

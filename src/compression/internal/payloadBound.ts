/**
 * The bound of a payload whose pages may grow: twice what they are, which is the room that QEMU has for it (1 MiB for its
 * packets of 512 KiB), and hundreds of times what a compressor adds to bytes that it cannot make smaller.
 *
 * @internal
 */
export const twicePages = (pages: number, pageSize: number): number => 2 * pages * pageSize

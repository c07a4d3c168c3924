/**
 * The bound of a payload whose pages may grow: twice their size. QEMU has that much room (1 MiB for its packets of 512
 * KiB), and it is hundreds of times what a compressor adds to incompressible bytes.
 *
 * @internal
 */
export const twicePages = (pages: number, pageSize: number): number => 2 * pages * pageSize

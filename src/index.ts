/**
 * Captures, stores, moves, resumes and inspects the memory of virtual machines, in QEMU's own formats.
 *
 * Start with `Migration`, `Image`, `RamBlock`, `MemoryPages`, `FilePages`, `MachineState`, `Live`, `Progress`,
 * `SocketAddress` and `Capture`. Modules for building on the library have separate entry points.
 *
 * @stability stable
 * @since 0.1.0
 */
export * as ByteSource from "./snapshot/ByteSource.ts"
export * as Capture from "./entry/Capture.ts"
export * as Codecs from "./compression/Codecs.ts"
export * as CompressionError from "./compression/CompressionError.ts"
export * as ConnectionError from "./io/sockets/ConnectionError.ts"
export * as DeviceState from "./format/devices/DeviceState.ts"
export * as DeviceTree from "./format/devices/DeviceTree.ts"
export * as DirtyTracker from "./ram/DirtyTracker.ts"
export * as FileError from "./io/files/FileError.ts"
export * as FilePages from "./io/files/FilePages.ts"
export * as Finding from "./format/Finding.ts"
export * as Image from "./entry/Image.ts"
export * as ImageError from "./image/ImageError.ts"
export * as ImageNotes from "./format/seal/ImageNotes.ts"
export * as Integrity from "./image/Integrity.ts"
export * as Live from "./snapshot/Live.ts"
export * as MachineState from "./snapshot/MachineState.ts"
export * as MemoryPages from "./ram/MemoryPages.ts"
export * as Metrics from "./entry/Metrics.ts"
export * as Migration from "./entry/Migration.ts"
export * as MigrationRequestError from "./snapshot/MigrationRequestError.ts"
export * as MigrationStatus from "./migration/MigrationStatus.ts"
export * as MigrationUri from "./io/sockets/MigrationUri.ts"
export * as PageBitmap from "./ram/PageBitmap.ts"
export * as PeerLimits from "./multifd/PeerLimits.ts"
export * as PeerFailedError from "./multifd/PeerFailedError.ts"
export * as PipelineOptions from "./transfer/PipelineOptions.ts"
export * as Progress from "./migration/Progress.ts"
export * as ProtocolError from "./multifd/ProtocolError.ts"
export * as QmpClient from "./qemu/QmpClient.ts"
export * as QmpError from "./qemu/QmpError.ts"
export * as RamBlock from "./entry/RamBlock.ts"
export * as RateLimit from "./transfer/RateLimit.ts"
export * as Resume from "./qemu/Resume.ts"
export * as SenderLeftError from "./multifd/SenderLeftError.ts"
export * as SocketAddress from "./io/sockets/SocketAddress.ts"
export * as Statistics from "./migration/Statistics.ts"
export * as TlsCredentials from "./io/sockets/TlsCredentials.ts"
export * as Uuid from "./format/Uuid.ts"
export * as VmError from "./qemu/VmError.ts"

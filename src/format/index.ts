/**
 * Codecs of QEMU's formats: bytes in, values out, without I/O.
 *
 * @since 0.1.0
 */
export * as Checksum from "./seal/Checksum.ts"
export * as Parser from "./Parser.ts"
export * as Description from "./devices/Description.ts"
export * as DeviceFields from "./devices/DeviceFields.ts"
export * as DeviceStatePacket from "./multifd/DeviceStatePacket.ts"
export * as ForeignFile from "./image/ForeignFile.ts"
export * as GlobalState from "./devices/GlobalState.ts"
export * as ImageSeal from "./seal/ImageSeal.ts"
export * as ImageStream from "./image/ImageStream.ts"
export * as LibvirtSave from "./image/LibvirtSave.ts"
export * as MachineType from "./stream/MachineType.ts"
export * as MappedRam from "./image/MappedRam.ts"
export * as MigrationStream from "./stream/MigrationStream.ts"
export * as MultifdInit from "./multifd/MultifdInit.ts"
export * as MultifdPacket from "./multifd/MultifdPacket.ts"
export * as RamRecords from "./stream/RamRecords.ts"
export * as ReturnPath from "./stream/ReturnPath.ts"
export * as SealMark from "./seal/SealMark.ts"
export * as SocketSections from "./stream/SocketSections.ts"
export * as SocketStream from "./stream/SocketStream.ts"
export * as StreamTrailer from "./image/StreamTrailer.ts"
export * as Xbzrle from "./stream/Xbzrle.ts"

/**
 * Files and sockets as services that tests can replace.
 *
 * @since 0.1.0
 */
export * as AlignedMemory from "./files/AlignedMemory.ts"
export * as AtomicFile from "./files/AtomicFile.ts"
export * as Connection from "./sockets/Connection.ts"
export * as AddressWarnings from "./sockets/AddressWarnings.ts"
export * as FileCalls from "./files/FileCalls.ts"
export * as LaneJob from "../lanes/LaneJob.ts"
export * as Lanes from "../lanes/Lanes.ts"
export * as Listener from "./sockets/Listener.ts"
export * as Network from "./sockets/Network.ts"
export * as PositionalFile from "./files/PositionalFile.ts"

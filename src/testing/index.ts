/**
 * The library's own test tools, for tests of services that use it: all its file operations go through one service,
 * which these replace.
 *
 * @stability unstable
 * @since 0.1.0
 */
export * as FaultyFiles from "./FaultyFiles.ts"
export * as FaultyLanes from "./FaultyLanes.ts"
export * as FaultyNetwork from "./FaultyNetwork.ts"
export * as FaultyObjects from "./FaultyObjects.ts"
export * as MemoryDisk from "./MemoryDisk.ts"
export * as RamArbitraries from "./RamArbitraries.ts"
export * as Simulation from "./Simulation.ts"
export * as VirtualNetwork from "./VirtualNetwork.ts"

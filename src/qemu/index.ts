/**
 * QEMU's monitor commands, and its migration capabilities and parameters.
 *
 * @since 0.1.0
 */
export * as MigrationCapabilities from "./MigrationCapabilities.ts"
export * as MigrationParameters from "./MigrationParameters.ts"
export * as MigrationSettings from "./MigrationSettings.ts"
export * as QmpCommands from "./QmpCommands.ts"

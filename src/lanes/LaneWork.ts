/**
 * The work of a lane, in the thread that calls: for lanes that are no threads, such as those of tests.
 *
 * @since 0.1.0
 */
export { copyPages } from "./internal/copyPages.ts"
export { make as makeBuffer } from "./internal/scanBuffer.ts"
export { node, type SystemCalls } from "./internal/systemCalls.ts"

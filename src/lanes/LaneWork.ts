/**
 * The work of a lane in the calling thread: for lanes that are not threads, such as those of tests.
 *
 * @since 0.1.0
 */
export { copyPages } from "./internal/copyPages.ts"
export { make as makeBuffer } from "./internal/scanBuffer.ts"
export { node, type SystemCalls } from "./internal/systemCalls.ts"

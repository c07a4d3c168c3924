import * as AddressWarnings from "../../io/sockets/AddressWarnings.ts"
import * as SocketAddress from "../../io/sockets/SocketAddress.ts"
import * as Problem from "../../ram/Problem.ts"
import type { Version } from "../QmpClient.ts"
import * as Vm from "./vm.ts"

/** Warnings about who else could reach QEMU's address. @internal */
export const exposuresOf = (listen: SocketAddress.SocketAddress | undefined): ReadonlyArray<string> =>
  listen === undefined ? [] : AddressWarnings.ofListener(SocketAddress.withHost(listen), undefined)

/** @internal */
export const listenProblems = (listen: SocketAddress.SocketAddress | undefined): ReadonlyArray<Problem.Problem> =>
  listen?._tag === "Tcp" && listen.port === 0
    ? [Problem.make("QEMU cannot listen on the TCP port 0", "name a port (--listen tcp:HOST:PORT)")]
    : []

/** @internal */
export const problemsOf = (vm: Vm.Vm, needed: ReadonlyArray<string>): ReadonlyArray<Problem.Problem> => [
  ...(vm.runState.status === "inmigrate" && vm.status === "none"
    ? []
    : [
        Problem.make(
          `QEMU does not wait for a machine: it is ${vm.runState.status}, with a migration ${vm.status}`,
          "start a new one with -incoming defer"
        )
      ]),
  ...Vm.missing(vm, needed)
]

/** Since 9.1 a QEMU that could not load a machine keeps running, and can be asked for the reason. @internal */
export const canStay = ({ major, minor }: Version): boolean => major > 9 || (major === 9 && minor >= 1)

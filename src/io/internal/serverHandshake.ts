import * as Result from "effect/Result"
import type * as Net from "node:net"
import type { Incoming } from "../Network.ts"
import type * as TlsCredentials from "../TlsCredentials.ts"

export const serverHandshake = (
  _accepted: Net.Socket,
  _credentials: TlsCredentials.Server,
  _peer: string,
  done: Parameters<Incoming["open"]>[0]
): void => done(Result.fail(new Error("TLS")))

import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Backplane } from '@throughline/mcp-http-core'
import { NatsBus } from './nats-bus.ts'
import { NatsEvents } from './nats-events.ts'
import { NatsSessions } from './nats-sessions.ts'

/** How long, in nanoseconds, anything is kept, however long its session lives: no key of a NATS before 2.11 expires by itself. */
const longest = 86_400 * 1e9

/** `name`: of the bucket, the stream and the subjects. Deployments that share a NATS need one each. */
export async function natsBackplane(connection: NatsConnection, name: string): Promise<Backplane> {
  const [client, manager] = [jetstream(connection), await jetstreamManager(connection)]
  // Replicas answer what is asked directly, and are behind.
  const bucket = await new Kvm(client).create(name, { history: 1, ttl: longest / 1e6, allow_direct: false })
  const stream = `${name}-events`
  await manager.streams.add({ name: stream, subjects: [`${stream}.*`], max_age: longest })
  const sessions = new NatsSessions(bucket)
  return {
    sessions,
    events: new NatsEvents({ client, manager, stream, sessions }),
    bus: new NatsBus(connection, `${name}-bus`),
  }
}

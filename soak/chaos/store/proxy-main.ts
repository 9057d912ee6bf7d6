// The proxy before the store, in a process of its own: `proxy-main.ts PORT`. Tells its parent its port, and hears where to go.
import { TcpProxy } from './tcp-proxy.ts'

const proxy = await TcpProxy.start(Number(process.argv[2]))
process.on('message', (target: number) => proxy.pointTo(target === 0 ? undefined : target))
process.on('disconnect', () => process.exit(0))
process.send?.(proxy.port)

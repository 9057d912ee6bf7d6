// Decorators are called as TypeScript would call them, since this is no TypeScript.
import 'reflect-metadata'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { Ctx, Payload } from '@nestjs/microservices'
import { McpController, McpStrategy, StreamableHttpTransport, Tool } from '@rekog/mcp-nest'
import { z } from 'zod'
import { countUp, waitFor } from './tools.mjs'

const content = (text) => ({ content: [{ type: 'text', text }] })

class TinyController {
  async echo({ text }) {
    return content(text)
  }

  async count(_, context) {
    return content(await countUp((progress) => context.reportProgress({ progress, total: 3 })))
  }

  async wait({ ms }) {
    return content(await waitFor(ms))
  }
}

function decorate(name, options) {
  const descriptor = Object.getOwnPropertyDescriptor(TinyController.prototype, name)
  Payload()(TinyController.prototype, name, 0)
  Ctx()(TinyController.prototype, name, 1)
  Tool({ name, ...options })(TinyController.prototype, name, descriptor)
  Object.defineProperty(TinyController.prototype, name, descriptor)
}
decorate('echo', { description: 'Returns a text', parameters: z.object({ text: z.string() }) })
decorate('count', { description: 'Counts to three', parameters: z.object({}) })
decorate('wait', { description: 'Waits', parameters: z.object({ ms: z.number() }) })
McpController()(TinyController)

class AppModule {}
Module({ controllers: [TinyController] })(AppModule)

const mcp = new McpStrategy({ name: 'tiny', version: '1.0.0', transports: [new StreamableHttpTransport()] })
const app = await NestFactory.create(AppModule, { logger: ['error'] })
mcp.setHttpAdapter(app.getHttpAdapter())
app.connectMicroservice({ strategy: mcp })
await app.startAllMicroservices()
await app.listen(Number(process.env.PORT), '127.0.0.1')

#!/usr/bin/env node
import { main } from './main.ts'

// `list | head` closes the pipe when it has enough: that is no fault, and nobody is left to be told of one.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

// Not exit(): what was written to a pipe must have left.
process.exitCode = await main(process.argv)

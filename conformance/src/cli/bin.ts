#!/usr/bin/env node
import { main } from './main.ts'

// Not exit(): what was written to a pipe must have left.
process.exitCode = await main(process.argv)

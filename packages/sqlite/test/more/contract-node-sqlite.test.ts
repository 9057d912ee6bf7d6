import { describe, test } from 'vitest'
import { findNodeDriver } from '../../src/database/driver.ts'
import { describeContract } from '../describe-contract.ts'

const driver = findNodeDriver()
const leftOut = `LEFT OUT: the contract through node:sqlite, because this is Node.js ${process.version}`

if (driver) describeContract('SQLite through node:sqlite keeps the contract', driver)
else {
  console.warn(leftOut)
  describe('SQLite through node:sqlite', () => test.skip(leftOut))
}

import { type Driver, findBetterDriver } from '../src/database/driver.ts'
import { describeContract } from './describe-contract.ts'

describeContract('SQLite through better-sqlite3 keeps the contract', findBetterDriver() as Driver)

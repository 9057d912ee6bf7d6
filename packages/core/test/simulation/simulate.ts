import './virtual-time.ts'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { breaches, type Sentence } from './database.ts'
import { type Outcome, runWorld } from './world.ts'

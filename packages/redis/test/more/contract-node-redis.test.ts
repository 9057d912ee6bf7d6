import { clients } from '../clients.ts'
import { describeContract } from '../describe-contract.ts'

describeContract('node-redis', clients['node-redis'])

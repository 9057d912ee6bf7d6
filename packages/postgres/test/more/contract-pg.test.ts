import { clients } from '../clients.ts'
import { describeContract } from '../describe-contract.ts'

describeContract('pg', clients.pg)

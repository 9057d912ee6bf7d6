import { clients } from '../clients.ts'
import { describeBouncedContract } from '../describe-contract.ts'

describeBouncedContract('pg', clients.pg)
describeBouncedContract('postgres', clients.postgres)

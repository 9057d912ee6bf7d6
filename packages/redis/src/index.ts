export type { RedisClient } from './client/redis-client.ts'
export { type RedisBackplaneOptions, redisBackplane } from './redis-backplane.ts'

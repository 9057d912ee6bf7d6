import manifest from '../package.json' with { type: 'json' }

/** What reports say they were made by. */
export const suite = { name: manifest.name, version: manifest.version } as const

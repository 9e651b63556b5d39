// E: N thin devices in a native program, which is given the command `load`.
process.argv[2] = 'load'
await import('./client.mjs')

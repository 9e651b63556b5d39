import path from 'node:path'; import fs from 'node:fs'; import { ROOT } from './common.mjs'
const node = process.execPath, P = (...x) => path.join(ROOT, ...x)
export const peers = {
  'automerge': { name: 'automerge', extra: { conc: 10 }, client: P('automerge/client.mjs'), scheme: 'ws', server: (dir, port) => ({ cmd: node, args: [P('automerge/node_modules/@automerge/automerge-repo-sync-server/src/index.js')], env: { PORT: port, DATA_DIR: dir } }) },
  'automerge-v2': { name: 'automerge-v2', wanExtra: { conc: 20 }, client: P('automerge/client.mjs'), scheme: 'ws', server: (dir, port) => ({ cmd: node, args: [P('automerge/server-v2.mjs')], env: { PORT: port, DATA_DIR: dir } }) },
  'pouch': { name: 'pouch', client: P('pouch/client.mjs'), scheme: 'http', server: (dir, port) => ({ cmd: node, args: [P('pouch/node_modules/pouchdb-server/bin/pouchdb-server'), '-p', String(port), '-d', dir, '-c', path.join(dir, 'config.json'), '-n'], cwd: dir }) },
  'hocuspocus': { name: 'hocuspocus', client: P('hocuspocus/client.mjs'), scheme: 'ws', server: (dir, port) => ({ cmd: node, args: [P('hocuspocus/server.mjs')], env: { PORT: port, DATA_DIR: dir } }) },
}
// Ours: devices are enrolled (once, before what is measured) at the address of the counting proxy.
const bin = process.env.BENCH_BIN || ''
peers.grabrail = { name: 'grabrail', enrols: true, client: P('grabrail/client.mjs'), scheme: 'http', server: (dir, port) => ({ cmd: path.join(bin, 'grabrail'), args: ['serve'], env: { GRABRAIL_DATA: path.join(dir, 'data'), GRABRAIL_LISTEN: `127.0.0.1:${port}`, GRABRAIL_PUBLIC_URL: `http://127.0.0.1:${port + 1}`, GRABRAIL_LOG_FILTER: 'warn' } }) }
peers['pouch-ka'] = { ...peers.pouch, name: 'pouch-ka', extra: { ka: 1 } }

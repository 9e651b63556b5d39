// F: kill -9 right after the client has been told its edit is synced. node durability.mjs PEER tries=20 burst=1 delay=0
import fs from 'node:fs'; import path from 'node:path'; import { spawn } from 'node:child_process'
import * as L from './lib/common.mjs'; import { peers } from './lib/peers.mjs'
const peer = peers[process.argv[2]], o = Object.fromEntries(process.argv.slice(3).map(s => s.split('='))), tries = +(o.tries || 20), burst = +(o.burst || 1), delay = +(o.delay || 0)
const base = path.join(L.TMP, 'state', peer.name + '-flat'), dir = path.join(L.TMP, 'dur-srv-' + peer.name), port = 19500 + Object.keys(peers).indexOf(peer.name); L.cp(path.join(base, 'srv.base'), dir)
// devices that stay what they are through all tries: one that edits, one that looks for it
const dev = dir + '-dev'; L.cp(path.join(base, 'd1.base'), dev); L.cp(path.join(base, 'd2.base'), dev + '2')
const a = (cmd, kv) => [peer.client, cmd, `url=${peer.scheme}://127.0.0.1:${port}`, `urls=${base}/urls.json`, `dir=${dev}`, ...Object.entries(kv).map(([k, v]) => `${k}=${v}`)]
let srv = await new L.Server(peer, dir, port).start(), lostEdits = 0, ackedEdits = 0, triesWithLoss = 0, failed = 0
for (let i = 0; i < tries; i++) {
  const c = spawn(process.execPath, a('durab', { case: i, token: 't' + i, burst }), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }); const ex = new Promise(r => c.on('exit', () => r(null)))
  const m = await Promise.race([new Promise(r => c.once('message', r)), ex, L.sleep(20000)])
  if (delay) await L.sleep(delay)
  srv.p.kill('SIGKILL'); await srv.exited; c.kill('SIGKILL'); await ex
  srv = await new L.Server(peer, dir, port).start()
  if (!m) { failed++; continue }
  try { const r = await L.Kid.run(process.execPath, a('durcheck', { case: i, token: 't' + i, burst }), { timeout: 20000 }); ackedEdits += m.acked; lostEdits += m.acked - r.have; if (r.have < m.acked) triesWithLoss++ } catch (e) { console.error(String(e).slice(0, 300)); failed++ } }
await srv.stop()
const s = JSON.stringify({ step: 'F durability', peer: peer.name, tries, burst, delay, ackedEdits, lostEdits, triesWithLoss, failed }); console.log(s); fs.appendFileSync(path.join(L.TMP, 'results.jsonl'), s + '\n'); process.exit(0)

// E driver: node load.mjs PEER n=50 waves=2
import fs from 'node:fs'; import path from 'node:path'; import { spawn } from 'node:child_process'; import * as L from './lib/common.mjs'; import { peers } from './lib/peers.mjs'
const peer = peers[process.argv[2]], o = Object.fromEntries(process.argv.slice(3).map(s => s.split('='))), n = +(o.n || 50)
const base = path.join(L.TMP, 'state', peer.name + '-flat'), dir = path.join(L.TMP, 'load-srv-' + peer.name), port = 19600 + Object.keys(peers).indexOf(peer.name)
for (let wave = 1; wave <= +(o.waves || 1); wave++) {
  L.cp(path.join(base, 'srv.base'), dir); L.cp(path.join(base, 'd1.base'), dir + '-dev'); const srv = await new L.Server(peer, dir, port).start(); await L.sleep(1500); const idle = L.procMem(srv.pid).rss
  if (o.warm) await L.Kid.run(process.execPath, [path.join(path.dirname(peer.client), 'load.mjs'), 'x', `url=${peer.scheme}://127.0.0.1:${port}`, `urls=${base}/urls.json`, `dir=${dir}-dev`, 'n=1', 'wave=w']) // all documents already in the server's memory
  let cs = L.procCpu(srv.pid), cm
  const r = await new Promise((res, rej) => { const p = spawn(process.execPath, ['--max-old-space-size=12000', path.join(path.dirname(peer.client), 'load.mjs'), 'x', `url=${peer.scheme}://127.0.0.1:${port}`, `urls=${base}/urls.json`, `dir=${dir}-dev`, `n=${n}`, `wave=${wave}`, `srv=${dir}`, `pid=${srv.pid}`], { stdio: ['ignore', 'pipe', 'pipe'] }); let out = '', err = ''
    p.stdout.on('data', b => { b = String(b); out += b; if (b.includes('WARM')) cs = L.procCpu(srv.pid); if (b.includes('MARK')) cm = L.procCpu(srv.pid) }); p.stderr.on('data', b => err += b); const t = setTimeout(() => p.kill('SIGKILL'), +(o.timeout || 600000))
    p.on('close', c => { clearTimeout(t); const m = out.match(/RESULT (.*)/); m ? res(JSON.parse(m[1])) : rej(new Error('load rc ' + c + err.slice(-800))) }) }).catch(e => { console.log(String(e)); return null })
  const mem = L.procMem(srv.pid), ce = L.procCpu(srv.pid); await srv.stop()
  const f = x => +x.toFixed(3), s = JSON.stringify(r ? { step: 'E load', peer: peer.name + (o.warm ? ' (warm server)' : ''), n, wave, rss_idle_after_restart: Math.round(idle), rss_end: Math.round(mem.rss), rss_peak: Math.round(mem.peak), noop_wall_s: f(r.noop_wall / 1e3), noop_per_s: f((r.noop_count || n) / r.noop_wall * 1e3), noop_p50_s: f(L.pct(r.noop_lat, .5) / 1e3), noop_p99_s: f(L.pct(r.noop_lat, .99) / 1e3), srv_cpu_noop: f(cm - cs), cli_cpu_noop: f(r.cli_cpu_noop), push_wall_s: f(r.push_wall / 1e3), push_per_s: f((r.push_count || n) / r.push_wall * 1e3), push_p50_s: f(L.pct(r.push_lat, .5) / 1e3), push_p99_s: f(L.pct(r.push_lat, .99) / 1e3), srv_cpu_rest: f(ce - cm), ...r.more } : { step: 'E load', peer: peer.name, n, wave, failed: true, srv_cpu: ce - cs, rss_peak: Math.round(mem.peak), rss_idle_after_restart: Math.round(idle) })
  console.log(s); fs.appendFileSync(path.join(L.TMP, 'results.jsonl'), s + '\n') }
process.exit(0)

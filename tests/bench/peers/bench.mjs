// node bench.mjs PEER [runs=3] [profiles=lan,mobile,delay300] [mode=flat] [only=A,B,C]   appends to $BENCH_TMP/results.jsonl
import fs from 'node:fs'; import path from 'node:path'; import { execFileSync } from 'node:child_process'
import * as L from './lib/common.mjs'; import { peers } from './lib/peers.mjs'
const peer = peers[process.argv[2]]; const o = Object.fromEntries(process.argv.slice(3).map(s => s.split('=')))
const runs = +(o.runs || 3), profiles = (o.profiles || 'lan').split(','), mode = o.mode || 'flat', only = (o.only || 'A,B,C').split(',')
const D = path.join(L.TMP, 'state', peer.name + '-' + mode); fs.mkdirSync(D, { recursive: true })
const BP = 19100 + 10 * Object.keys(peers).indexOf(peer.name), SP = BP, PP = BP + 1, urls = path.join(D, 'urls.json'); const S = (...x) => path.join(D, ...x)
const docs = 3 * L.workload().cases.length
let ns = {}, host = '127.0.0.1'
const emit = r => { const s = JSON.stringify({ peer: peer.name, mode, docs, ...r }); console.log(s); fs.appendFileSync(path.join(L.TMP, 'results.jsonl'), s + '\n') }
const cli = (cmd, kv, t) => Kid(cmd, kv, t); const Kid = (cmd, kv, timeout) => L.Kid.run(process.execPath, ['--max-old-space-size=4096', peer.client, cmd, `url=${peer.scheme}://${host}:${PP}`, `urls=${urls}`, `srv=${S('srv')}`, `mode=${mode}`, ...Object.entries({ ...kv, ...peer.extra, ...(ns.cli ? peer.wanExtra : {}) }).map(([k, v]) => `${k}=${v}`)], { ns: ns.cli, timeout })
let srv, prx
const up = async dir => { srv = await new L.Server(peer, dir, SP, ns.srv).start(); prx = await new L.Proxy(PP, SP, ns.srv, ns.srv ? '0.0.0.0' : '127.0.0.1').start() }
const down = async () => { await srv.stop(); await prx.stop() }
const wan = () => { try { const f = fs.readFileSync(L.TMP + '/wan.stats', 'utf8').split(' ').map(Number); return f } catch { return null } }
// what has to be there before a device can speak, at the server itself and not measured
const enrol = async dir => { if (peer.enrols) await L.Kid.run(process.execPath, [peer.client, 'enrol', `url=http://127.0.0.1:${PP}`, `urls=${urls}`, `srv=${S('srv')}`, `dir=${dir}`], { ns: ns.srv }) }
// run one client step and account for it
const step = async (label, kv, extra = {}) => { await prx.reset(); L.resetPeak(srv.pid); const c0 = L.procCpu(srv.pid), w0 = ns.cli && wan(); const r = await cli('sync', kv); await L.sleep(ns.cli ? 700 : 400); const c1 = L.procCpu(srv.pid), p = await prx.stats(), w1 = ns.cli && (await L.sleep(100), wan())
  emit({ step: label, ...extra, wall_s: +(r.wall / 1000).toFixed(3), flush_s: r.tFlush && +(r.tFlush / 1000).toFixed(3), load_s: +(r.tLoad / 1000).toFixed(3), up: p.up, down: p.down, conns: p.conns, turns: p.turns, srv_cpu: +(c1 - c0).toFixed(2), cli_cpu: +r.cpu.toFixed(2), cli_cpu_load: +r.cpuLoad.toFixed(2), cli_rss: Math.round(r.rss), srv_rss: Math.round(L.procMem(srv.pid).rss), srv_peak: Math.round(L.procMem(srv.pid).peak), ok: r.ok, unavailable: r.unavailable, merged: r.merged, conflictDocs: r.conflictDocs, rep: r.rep, ip: w0 && w1 ? w1.map((x, i) => x - w0[i]) : undefined }); return r }
process.on('exit', () => { srv?.p.kill('SIGKILL'); prx?.p.kill('SIGKILL') })
process.on('SIGTERM', () => { try { srv?.p.kill('SIGKILL') } catch {} try { prx?.p.kill('SIGKILL') } catch {} if (ns.cli) execFileSync(path.join(L.ROOT, 'lib/wan.sh'), ['down']); process.exit(143) })
// prepare (always on loopback): seeded server, synced devices, edited devices
if (!fs.existsSync(S('ready'))) {
  fs.rmSync(S('srv'), { recursive: true, force: true }); await up(S('srv')); const t = Date.now(); const r = await Kid('seed', { mode }); console.log('seeded', r, Date.now() - t); await L.sleep(2500); await down()
  L.cp(S('srv'), S('srv.base')); await up(S('srv'))
  for (const d of ['d1', 'd2']) { fs.rmSync(S(d), { recursive: true, force: true }); fs.mkdirSync(S(d)); await enrol(S(d)); const r = await cli('sync', { dir: S(d), cold: 1, check: 'base' }); if (r.ok !== docs && mode !== 'lived') throw new Error('prep ' + JSON.stringify(r)); await cli('sync', { dir: S(d) }) }
  await L.sleep(500); await down(); L.cp(S('srv'), S('srv.base'))
  for (const d of ['d1', 'd2']) { L.cp(S(d), S(d + '.base')); console.log('edit', d, await cli('edit', { dir: S(d), dev: d, granularity: o.granularity || 'op' })); L.cp(S(d), S(d + '.edited')) }
  fs.writeFileSync(S('ready'), '1') }
const sz = p => +execFileSync('du', ['-sb', p]).toString().split('\t')[0]
emit({ step: 'disk', srv_bytes: sz(S('srv.base')), dev_bytes: sz(S('d1.base')), dev_edited_bytes: sz(S('d1.edited')) })
for (const prof of profiles) { const R = prof === 'lan' ? runs : +(o.wanruns || 1)
  for (let i = 1; i <= R; i++) {
    if (prof !== 'lan') { execFileSync(path.join(L.ROOT, 'lib/wan.sh'), ['up', prof, String(i)], { stdio: 'ignore' }); ns = { cli: 'pbcli', srv: 'pbsrv' }; host = '10.77.0.2' }
    try {
      const x = { profile: prof, run: i }
      if (only.includes('A') || only.includes('C')) { L.cp(S('srv.base'), S('srv')); await up(S('srv')); await L.sleep(500)
        if (only.includes('A')) { fs.rmSync(S('new'), { recursive: true, force: true }); fs.mkdirSync(S('new')); emit({ step: 'idle-after-restart', ...x, ...L.procMem(srv.pid) }); await enrol(S('new')); await step('A cold (fresh server)', { dir: S('new'), cold: 1, check: 'base', twice: 0 }, x)
          if (prof === 'lan') { fs.rmSync(S('new'), { recursive: true, force: true }); fs.mkdirSync(S('new')); await enrol(S('new')); await step('A2 cold (warm server)', { dir: S('new'), cold: 1, check: 'base', twice: 0 }, x) } 
          await down(); L.cp(S('srv.base'), S('srv')); await up(S('srv')); await L.sleep(500) }
        if (only.includes('C')) { L.cp(S('d1.base'), S('d1')); await step('C no-op (fresh server)', { dir: S('d1'), check: 'base' }, x); await step('C2 no-op (warm server)', { dir: S('d1'), check: 'base' }, x) }
        await down() }
      if (only.includes('B')) { L.cp(S('srv.base'), S('srv')); L.cp(S('d1.edited'), S('d1')); L.cp(S('d2.edited'), S('d2')); await up(S('srv')); await L.sleep(500)
        await step('B1 device1 pushes', { dir: S('d1'), check: 'd1' }, x); await step('B2 device2 push+pull', { dir: S('d2'), check: 'merged', dump: S('dump2.json') }, x); await step('B3 device1 pulls', { dir: S('d1'), check: 'merged', dump: S('dump1.json') }, x)
        emit({ step: 'B converged', ...x, equal: L.same(JSON.parse(fs.readFileSync(S('dump1.json'))), JSON.parse(fs.readFileSync(S('dump2.json')))) }); await down() }
    } finally { if (prof !== 'lan') { execFileSync(path.join(L.ROOT, 'lib/wan.sh'), ['down']); ns = {}; host = '127.0.0.1' } } } }
process.exit(0)

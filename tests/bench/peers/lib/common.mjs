import fs from 'node:fs'; import path from 'node:path'; import { spawn, execFileSync } from 'node:child_process'
import net from 'node:net'; import { fileURLToPath } from 'node:url'
export const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
export const TMP = process.env.BENCH_TMP || new URL('../state', import.meta.url).pathname
export const sleep = ms => new Promise(r => setTimeout(r, ms))
export const workload = () => JSON.parse(fs.readFileSync(process.env.WORKLOAD || path.join(ROOT, 'workload.json')))
export const KINDS = ['home', 'clinical', 'prescription']
export const args = () => Object.fromEntries(process.argv.slice(3).map(s => { const i = s.indexOf('='); return [s.slice(0, i), s.slice(i + 1)] }))
export const cpu = () => { const u = process.cpuUsage(); return (u.user + u.system) / 1e6 }
export const result = o => console.log('RESULT ' + JSON.stringify(o))
// a server and all processes it started: its own figures and theirs
const tree = pid => [pid, ...fs.readdirSync(`/proc/${pid}/task`).flatMap(t => { try { return fs.readFileSync(`/proc/${pid}/task/${t}/children`, 'utf8').split(' ').filter(Boolean).flatMap(c => tree(+c)) } catch { return [] } })]
export const procCpu = pid => tree(pid).reduce((a, p) => a + cpuOf(p), 0)
export const procMem = pid => tree(pid).map(memOf).reduce((a, m) => ({ rss: a.rss + m.rss, peak: a.peak + m.peak }), { rss: 0, peak: 0 })
const cpuOf = pid => { const s = fs.readFileSync(`/proc/${pid}/stat`, 'utf8'); const f = s.slice(s.lastIndexOf(')') + 2).split(' '); return (+f[11] + +f[12]) / 100 }
const memOf = pid => { const s = fs.readFileSync(`/proc/${pid}/status`, 'utf8'); const g = k => +(s.match(new RegExp(k + ':\\s+(\\d+)'))?.[1] || 0) / 1024; return { rss: g('VmRSS'), peak: g('VmHWM') } }
export const resetPeak = pid => { try { fs.writeFileSync(`/proc/${pid}/clear_refs`, '5') } catch {} }
export const median = a => { const s = [...a].sort((x, y) => x - y), n = s.length; return n ? (n % 2 ? s[n >> 1] : (s[n / 2 - 1] + s[n / 2]) / 2) : NaN }
export const pct = (a, p) => { const s = [...a].sort((x, y) => x - y); return s[Math.min(s.length - 1, Math.floor(s.length * p))] }
export const cp = (a, b) => { fs.rmSync(b, { recursive: true, force: true }); execFileSync('cp', ['-a', a, b]) }
export const waitPort = async (port, host = '127.0.0.1', ms = 30000) => { const t = Date.now(); for (;;) { const ok = await new Promise(r => { const s = net.connect(port, host, () => { s.destroy(); r(true) }); s.on('error', () => r(false)) }); if (ok) return; if (Date.now() - t > ms) throw new Error('port ' + port); await sleep(50) } }
const canon = v => Array.isArray(v) ? v.map(canon) : v && typeof v === 'object' ? Object.fromEntries(Object.keys(v).sort().map(k => [k, canon(v[k])])) : v
export const same = (a, b) => JSON.stringify(canon(a)) === JSON.stringify(canon(b))
// get(caseIdx, kind) -> plain object. Returns number of docs equal to the generated baseline.
export const checkBase = (w, get) => { let ok = 0; w.cases.forEach((c, i) => KINDS.forEach(k => { if (same(get(i, k), c[k])) ok++ })); return ok }
export const applyPlain = (doc, op) => { let o = doc; for (const p of op.path.slice(0, -1)) o = o[p]; const k = op.path.at(-1); if (op.insert !== undefined) o[k] = o[k].slice(0, op.at) + op.insert + o[k].slice(op.at); else o[k] = op.value }
// After both devices synced: which edits are visible? returns {total, lost, textOk, textTotal}
export const checkMerged = (w, get, devs = ['d1', 'd2']) => {
  const wr = {}, txt = {}
  for (const d of devs) for (const op of w.day[d]) { if (op.insert !== undefined) { const k = d + '|' + op.case; txt[k] = (txt[k] || '') + op.insert } else { const k = JSON.stringify([op.case, op.doc, op.path]); (wr[k] ||= {})[d] = op.value } }
  let lost = 0, total = 0, textOk = 0, textTotal = 0; const lostBy = {}
  for (const [k, v] of Object.entries(wr)) { const [ci, kind, p] = JSON.parse(k); let o = get(ci, kind); for (const x of p) o = o?.[x]; total++; if (!Object.values(v).some(x => x === o)) { lost++; for (const d of Object.keys(v)) lostBy[d] = (lostBy[d] || 0) + 1 } }
  for (const [k, t] of Object.entries(txt)) { textTotal++; if (get(+k.split('|')[1], 'clinical').narrative.includes(t)) textOk++ }
  return { total, lost, lostBy, textOk, textTotal }
}
export class Kid { // child process that prints RESULT json
  static run(cmd, argv, { ns, env, cwd, timeout = 900000 } = {}) { return new Promise((res, rej) => {
    const full = ns ? ['ip', ['netns', 'exec', ns, cmd, ...argv]] : [cmd, argv]
    const p = spawn(full[0], full[1], { env: { ...process.env, ...env }, cwd, stdio: ['ignore', 'pipe', 'pipe'] }); let out = '', err = ''
    const t = setTimeout(() => p.kill('SIGKILL'), timeout)
    p.stdout.on('data', b => out += b); p.stderr.on('data', b => err += b)
    p.on('close', code => { clearTimeout(t); const m = out.match(/RESULT (.*)/); if (!m) return rej(new Error(`${argv.join(' ')} code ${code}\n${out.slice(-1500)}\n${err.slice(-1500)}`)); res(JSON.parse(m[1])) }) }) }
}
export class Server {
  constructor(peer, dir, port, ns) { Object.assign(this, { peer, dir, port, ns }) }
  async start() { const s = this.peer.server(this.dir, this.port); fs.mkdirSync(this.dir, { recursive: true })
    const full = this.ns ? ['ip', ['netns', 'exec', this.ns, s.cmd, ...s.args]] : [s.cmd, s.args]
    this.log = fs.openSync(path.join(TMP, `server-${this.peer.name}.log`), 'a')
    this.p = spawn(full[0], full[1], { env: { ...process.env, ...s.env }, cwd: s.cwd || TMP, stdio: ['ignore', this.log, this.log] })
    this.exited = new Promise(r => this.p.on('exit', r)); this.pid = this.p.pid
    if (this.ns) await this.nsWait(); else await waitPort(this.port); if (this.peer.afterStart) await this.peer.afterStart(this); return this }
  async nsWait() { for (let i = 0; i < 200; i++) { try { execFileSync('ip', ['netns', 'exec', this.ns, 'bash', '-c', `exec 3<>/dev/tcp/127.0.0.1/${this.port}`], { stdio: 'ignore' }); return } catch { await sleep(100) } } throw new Error('ns port') }
  async stop(sig = 'SIGTERM') { this.p.kill(sig); const t = setTimeout(() => this.p.kill('SIGKILL'), 5000); await this.exited; clearTimeout(t); fs.closeSync(this.log) }
}
export class Proxy {
  constructor(lport, tport, ns, lhost = '127.0.0.1') { Object.assign(this, { lport, tport, ns, lhost }) }
  async start() { const a = [path.join(ROOT, 'lib/proxy.mjs'), this.lhost, this.lport, '127.0.0.1', this.tport].map(String)
    const full = this.ns ? ['ip', ['netns', 'exec', this.ns, process.execPath, ...a]] : [process.execPath, a]
    this.p = spawn(full[0], full[1], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }); await this.ask(); return this }
  ask(m) { return new Promise(r => { this.p.once('message', r); if (m) this.p.send(m) }) }
  reset() { return this.ask('reset') } stats() { return this.ask('stats') }
  async stop() { const e = new Promise(r => this.p.on('exit', r)); this.p.kill(); await e }
}

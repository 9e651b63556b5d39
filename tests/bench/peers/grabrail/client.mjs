// Our client is a native program that takes the same commands; this starts it. It ends when this does.
import { spawn } from 'node:child_process'; import path from 'node:path'; import readline from 'node:readline'
const p = spawn(path.join(process.env.BENCH_BIN, 'bench'), process.argv.slice(2), { stdio: ['pipe', 'pipe', 'inherit'] })
for (const s of ['SIGTERM', 'SIGINT']) process.on(s, () => p.kill('SIGKILL'))
readline.createInterface({ input: p.stdout }).on('line', l => { if (l.startsWith('ACK ')) process.send(JSON.parse(l.slice(4))); else console.log(l) })
p.on('close', c => process.exit(c ?? 1))

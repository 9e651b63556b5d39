// Deterministic "caseload" workload. node gen.mjs [out.json] [nCases] [seed] ; same seed => same bytes.
import fs from 'node:fs'; import crypto from 'node:crypto'
const out = process.argv[2] || new URL('./workload.json', import.meta.url).pathname
const N = +(process.argv[3] || 200)
const seed = process.argv[4] || '0x5eed1234'
let S = +seed
const rnd = () => { S |= 0; S = S + 0x6D2B79F5 | 0; let t = Math.imul(S ^ S >>> 15, 1 | S); t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t; return ((t ^ t >>> 14) >>> 0) / 4294967296 }
const ri = (a, b) => a + Math.floor(rnd() * (b - a + 1)), pick = a => a[Math.floor(rnd() * a.length)]
const W = {
  first: 'Margaret John Aisha Peter Siobhan Raj Elsie Tomasz Joan Derek Mei Fatima Arthur Doreen Callum Ngozi Brian Yvonne Ivan Rosa Harold Nadia Glenys Owen'.split(' '),
  last: 'Okafor Smith Patel Jones Kowalski Begum Murphy Evans Chen Wright Hughes Singh Taylor Brown Novak Reid Ahmed Walsh Fraser Lopez'.split(' '),
  street: 'Mill Lane,Station Road,Church Street,Victoria Avenue,Park View,Kings Close,Elm Grove,High Street,Meadow Rise,Quarry Bank,Harbour Terrace,Moorside'.split(','),
  rooms: ['Hall', 'Kitchen', 'Living room', 'Bathroom', 'Bedroom 1', 'Bedroom 2', 'Stairs and landing', 'Rear access'],
  meas: ['Door clear opening', 'Threshold height', 'Floor to ceiling', 'Turning circle', 'Seat height', 'Bed height', 'Worktop height', 'Toilet height', 'Bath rim height', 'Step rise', 'Step going', 'Stair width', 'Corridor width', 'Light switch height', 'Socket height', 'Grab rail position', 'Wall to toilet centre', 'Chair raise needed', 'Shower tray upstand', 'Ramp gradient'],
  unit: ['mm', 'mm', 'mm', 'cm', 'kg', 'deg'],
  adj: 'narrow,loose,uneven,worn,adequate,restricted,slippery,cluttered,well lit,dim,recently replaced,solid,hollow,damp,stable,unsafe,shared,obstructed,level,sloping'.split(','),
  thing: 'carpet edge,handrail,door frame,threshold strip,grab rail,bath panel,stud wall,plasterboard,radiator,step edge,light pull,shower screen,worktop,bed frame,chair arm,toilet seat,raised toilet seat,perching stool,commode,walking frame,wheelchair,bath board,pendant alarm,key safe,stairlift rail,rug,cable,ramp,banister,hoist'.split(','),
  act: 'transfers,mobilises,stands,steps over,reaches,turns,dresses,washes,prepares a hot drink,climbs,descends,negotiates the threshold,lowers to sit,repositions in bed,opens the window,answers the door,carries shopping,manages medication,uses the toilet,gets into the bath'.split(','),
  how: 'independently,with supervision,with the assistance of one,with verbal prompts,slowly and with effort,using furniture for support,with a wheeled frame,holding the wall,with breathlessness after two minutes,only when the carer is present,with increased pain in the left hip,after several attempts,safely when the area is clear'.split(','),
  cond: 'osteoarthritis,COPD,a right-sided weakness after stroke,Parkinson\'s disease,rheumatoid arthritis,diabetic neuropathy,early dementia,a fractured neck of femur,heart failure,multiple sclerosis,macular degeneration,spinal stenosis'.split(','),
  rec: 'a second banister rail,a half step with rail,a bath lift,level access shower,bed raisers,a toilet frame,rewiring of the socket,removal of the loose rug,a community alarm,a door widening,a lever tap,contrasting tape on nosings,a riser recliner chair,a ceiling track hoist assessment,a short-term package of care'.split(','),
  link: 'She reports that,He reports that,It was observed that,The daughter states that,On the day of the visit,Since discharge,According to the carer,During the kitchen assessment,On the second attempt,At night'.split(','),
}
const sentence = () => { switch (ri(0, 5)) {
  case 0: return `${pick(W.link)} the client ${pick(W.act)} ${pick(W.how)} because the ${pick(W.thing)} is ${pick(W.adj)}.`
  case 1: return `The ${pick(W.thing)} near the ${pick(W.rooms).toLowerCase()} is ${pick(W.adj)} and ${pick(W.adj)}, measured at ${ri(120, 2400)} mm.`
  case 2: return `Background of ${pick(W.cond)} with ${ri(1, 6)} falls in the last ${ri(2, 12)} months; ${pick(W.act)} ${pick(W.how)}.`
  case 3: return `Recommend ${pick(W.rec)} and review in ${ri(2, 12)} weeks with ${pick(W.first)} ${pick(W.last)}.`
  case 4: return `${pick(W.link)} pain is scored ${ri(1, 9)}/10 when the client ${pick(W.act)}, easing after ${ri(3, 40)} minutes.`
  default: return `Trialled ${pick(W.thing)} in the ${pick(W.rooms).toLowerCase()}: ${pick(W.act)} ${pick(W.how)}, ${pick(W.adj)} on return.` } }
const words = n => { let t = [], c = 0; while (c < n) { const s = sentence(); t.push(s); c += s.split(' ').length } return t.join(' ').split(' ').slice(0, n).join(' ') }
const note = () => pick([`${pick(W.thing)} ${pick(W.adj)}`, `${pick(W.adj)}, check ${pick(W.thing)}`, `measured ${ri(1, 3)}x, ${pick(W.adj)}`, `to ${pick(W.thing)}, ${pick(W.adj)} underfoot`, ''])
const CF = 'nhsRef,referrer,referralReason,diagnosis,secondaryDiagnosis,medication,allergies,height,weight,dominantHand,vision,hearing,cognition,mood,sleep,pain,skin,continence,fallsHistory,mobilityIndoors,mobilityOutdoors,stairs,bedTransfer,chairTransfer,toiletTransfer,bathTransfer,carTransfer,washing,dressingUpper,dressingLower,mealPrep,hotDrink,shopping,laundry,carer,packageOfCare,equipmentInSitu,goals,risks,consent'.split(',')
const fieldVal = k => k === 'height' ? ri(142, 192) : k === 'weight' ? ri(420, 1280) / 10 : k === 'pain' ? ri(0, 10) : k === 'consent' ? rnd() < .95 : k === 'nhsRef' ? 'REF-' + ri(100000000, 999999999) : rnd() < .5 ? `${pick(W.act)} ${pick(W.how)}` : `${pick(W.cond)}; ${note() || 'nil of note'}`
const IK = { code: () => 'EQ' + ri(10000, 99999), description: () => pick(W.thing), qty: () => ri(1, 4), location: () => pick(W.rooms), size: () => `${ri(300, 900)}x${ri(200, 600)} mm`, fitting: () => pick(['delivery only', 'fit by technician', 'fit within 24 h', 'client collects']), rationale: () => `client ${pick(W.act)} ${pick(W.how)}`, priority: () => pick(['urgent', 'high', 'routine', 'low']) }
const cases = []
for (let i = 0; i < N; i++) {
  const id = 'case-' + String(i).padStart(4, '0')
  const home = { kind: 'home', caseId: id, property: { address: `${ri(1, 220)} ${pick(W.street)}`, postcode: `${pick(['BD', 'LS', 'HX', 'S'])}${ri(1, 29)} ${ri(1, 9)}${pick(['AB', 'QT', 'LN', 'PW'])}`, type: pick(['terrace', 'semi', 'flat', 'bungalow', 'detached']), tenure: pick(['owner', 'council', 'housing association', 'private rent']), storeys: ri(1, 3), access: note(), parking: note(), heating: pick(['gas', 'electric', 'oil']) },
    rooms: W.rooms.map((name, r) => ({ name, floor: r < 4 ? 0 : 1, notes: sentence(), measurements: Array.from({ length: 12 }, () => ({ label: pick(W.meas), value: ri(60, 2600), unit: pick(W.unit), note: note() })) })) }
  const clinical = { kind: 'clinical', caseId: id, client: `${pick(W.first)} ${pick(W.last)}`, fields: Object.fromEntries(CF.map(k => [k, fieldVal(k)])), narrative: words(600) }
  const prescription = { kind: 'prescription', caseId: id, items: Array.from({ length: 10 }, () => Object.fromEntries(Object.entries(IK).map(([k, f]) => [k, f()]))) }
  cases.push({ id, home, clinical, prescription })
}
// a day's work. op: {case, doc, path, value} | {case, doc:'clinical', path:['narrative'], at, insert}
const day = (idxs, dev) => idxs.flatMap(ci => {
  const c = cases[ci], ops = []
  for (let k = 0; k < 40; k++) { const r = ri(0, 7), m = ri(0, 11), f = pick(['value', 'value', 'note', 'unit'])
    ops.push({ case: ci, doc: 'home', path: ['rooms', r, 'measurements', m, f], value: f === 'value' ? ri(60, 2600) : f === 'unit' ? pick(W.unit) : note() + ` (${dev}.${k})` }) }
  for (let k = 0; k < 40; k++) { const f = pick(CF); ops.push({ case: ci, doc: 'clinical', path: ['fields', f], value: typeof c.clinical.fields[f] === 'string' ? fieldVal(f) + ` [${dev}.${k}]` : fieldVal(f) }) }
  for (let k = 0; k < 40; k++) { const f = pick(Object.keys(IK)); ops.push({ case: ci, doc: 'prescription', path: ['items', ri(0, 9), f], value: IK[f]() }) }
  let typed = `<<${dev}:${c.id}>> `; while (typed.length < 200) typed += sentence() + ' '; typed = typed.slice(0, 200)
  const L = c.clinical.narrative.length, base = Math.floor(L * (dev === 'd1' ? .25 : .75))
  for (let k = 0; k < 20; k++) ops.push({ case: ci, doc: 'clinical', path: ['narrative'], at: base + 10 * k, insert: typed.slice(10 * k, 10 * k + 10) })
  return ops
})
const mine = Array.from({ length: 8 }, (_, k) => (Math.floor(k * N / 8) + 3) % N)
const w = { seed, cases, day: { d1: day(mine, 'd1'), d2: day(mine.slice(0, 4), 'd2') } }
const json = JSON.stringify(w); fs.writeFileSync(out, json)
const docs = cases.flatMap(c => [c.home, c.clinical, c.prescription])
console.log(JSON.stringify({ sha256: crypto.createHash('sha256').update(json).digest('hex'), docs: docs.length, bytes_docs: docs.reduce((a, d) => a + JSON.stringify(d).length, 0), ops_d1: w.day.d1.length, ops_d2: w.day.d2.length, avg: { home: JSON.stringify(cases[0].home).length, clinical: JSON.stringify(cases[0].clinical).length, prescription: JSON.stringify(cases[0].prescription).length } }))

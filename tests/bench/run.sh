# The benchmarks of tests/run, which has built everything and sources this: `run_bench NAME [--peers]`.
# Figures go to standard output as Markdown; what is measured is kept below BENCH_TMP (default: target/bench).

bench_lacks() {
    echo "tests/run: bench $1" >&2
    exit 1
}

bench_prepare() {
    command -v node >/dev/null || bench_lacks "needs node 20 or newer, which drives the alternatives and ours alike"
    (($(node -p 'process.versions.node.split(".")[0]') >= 20)) || bench_lacks "needs node 20 or newer"
    export BENCH_BIN=${CARGO_TARGET_DIR:-$PWD/target}/release
    export BENCH_TMP=${BENCH_TMP:-${CARGO_TARGET_DIR:-$PWD/target}/bench}
    local cases=${BENCH_CASES:-200} seed=${BENCH_SEED:-0x5eed1234}
    export WORKLOAD=${WORKLOAD:-$BENCH_TMP/workload-$cases-$seed.json}
    mkdir -p "$BENCH_TMP"
    [[ -e $WORKLOAD ]] || node tests/bench/peers/gen.mjs "$WORKLOAD" "$cases" "$seed" >/dev/null
    # What another workload left says nothing of this one, nor does another build of ours.
    local now
    now=$(sha256sum <"$WORKLOAD")
    if [[ ! -e $BENCH_TMP/workload || $(<"$BENCH_TMP/workload") != "$now" ]]; then
        rm -rf "$BENCH_TMP/state"
        echo "$now" >"$BENCH_TMP/workload"
    fi
    now=$(cat "$BENCH_BIN/grabrail" "$BENCH_BIN/bench" | sha256sum)
    if [[ ! -e $BENCH_TMP/of || $(<"$BENCH_TMP/of") != "$now" ]]; then
        rm -rf "$BENCH_TMP"/state/grabrail-*
        echo "$now" >"$BENCH_TMP/of"
    fi
}

# The bad link is emulated between two network namespaces; what it needs can't be had everywhere.
bench_profiles() {
    local lacks=""
    ((EUID == 0)) || lacks+=" root"
    [[ -c /dev/net/tun ]] || lacks+=" /dev/net/tun"
    command -v ip >/dev/null || lacks+=" iproute2"
    if [[ -z $lacks ]] && cc -O2 -o "$BENCH_TMP/wanlink" tests/bench/peers/lib/wanlink.c &&
        tests/bench/peers/lib/wan.sh up delay300 >/dev/null 2>&1 && grep -q ready "$BENCH_TMP/wan.log"; then
        tests/bench/peers/lib/wan.sh down
        echo lan,mobile,delay300
    else
        tests/bench/peers/lib/wan.sh down >/dev/null 2>&1 || true
        echo "!!! NOT MEASURED: the bad link and the 300 ms link; they need${lacks:- network namespaces that work}" >&2
        echo lan
    fi
}

bench_peer() { # bench_peer PEER PROFILES: one alternative, as it was measured when it was recorded
    local of=$1 folder=${1%-*}
    [[ $of == hocuspocus ]] && folder=hocuspocus
    (cd "tests/bench/peers/$folder" && [[ -d node_modules ]] || npm install --no-audit --no-fund --silent)
    node tests/bench/peers/bench.mjs "$of" runs=2 profiles="$2"
    node tests/bench/peers/load.mjs "$of" n=50 waves=1
    node tests/bench/peers/durability.mjs "$of" tries=10 burst=1
}

bench_sync() {
    bench_prepare
    local results=$BENCH_TMP/results.jsonl profiles at peer
    profiles=$(bench_profiles)
    rm -f "$results"
    {
        node tests/bench/peers/bench.mjs grabrail runs=3 wanruns=2 profiles="$profiles"
        [[ -d $BENCH_TMP/state/pouch-ka-flat || ! -d $BENCH_TMP/state/pouch-flat ]] ||
            cp -a "$BENCH_TMP/state/pouch-flat" "$BENCH_TMP/state/pouch-ka-flat"
        node tests/bench/peers/bench.mjs grabrail mode=stamped runs=2 only=A
        "$BENCH_BIN/bench" mean state="$BENCH_TMP/state/grabrail-flat" results="$results"
        "$BENCH_BIN/bench" many results="$results"
        for at in 1 2 3 4 5; do
            # A copy each time: what is opened is remembered until the next sync.
            rm -rf "$BENCH_TMP/start" && cp -a "$BENCH_TMP/state/grabrail-flat/d1.base" "$BENCH_TMP/start"
            "$BENCH_BIN/bench" start dir="$BENCH_TMP/start" results="$results"
        done
        node tests/bench/peers/load.mjs grabrail n=50 waves=2
        node tests/bench/peers/durability.mjs grabrail tries=20 burst=1
        node tests/bench/peers/durability.mjs grabrail tries=10 burst=10
        if [[ ${1:-} == --peers ]]; then
            for peer in automerge-v2 pouch-ka hocuspocus; do
                # An alternative that fails here is told of in the table by what is missing.
                bench_peer "$peer" lan || echo "!!! $peer did not come to its end" >&2
            done
        fi
    } >"$BENCH_TMP/sync.log"
    "$BENCH_BIN/bench" report results="$results" recorded=tests/bench/recorded.json
    echo "every single figure: $results" >&2
}

bench_frames() {
    bench_prepare
    node tests/bench/peers/bench.mjs grabrail runs=0 >"$BENCH_TMP/frames.log"
    "$BENCH_BIN/bench" frames state="$BENCH_TMP/state/grabrail-flat"
}

bench_curves() {
    bench_prepare
    "$BENCH_BIN/bench" curves
}

run_bench() {
    case $1 in
        sync | frames | curves) "bench_$@" ;;
    esac
}

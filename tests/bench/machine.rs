//! What processes cost, as the kernel counts it.

/// Processor seconds of a process so far, its threads' among them.
pub(crate) fn cpu(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or_default();
    // The kernel's ticks are hundredths wherever this runs.
    (ticks(11) + ticks(12)) / 100.0
}

/// Processor seconds of this process so far, finer than the kernel's ticks.
pub(crate) fn own_cpu() -> f64 {
    let stat = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = stat.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    // Threads that have ended are only in the process's own ticks.
    (nanos.sum::<f64>() / 1e9).max(cpu(std::process::id()))
}

fn status(process: u32, name: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or_default() / 1024.0
}

/// Resident memory of a process in MB: now.
pub(crate) fn memory(process: u32) -> f64 {
    status(process, "VmRSS")
}

/// The same at its highest.
pub(crate) fn peak(process: u32) -> f64 {
    status(process, "VmHWM")
}

/// The middle of some figures; of an even number of them, halfway between the two in the middle.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.get(sorted.len().saturating_sub(1) / 2), sorted.get(sorted.len() / 2)) {
        (Some(below), Some(above)) => f64::midpoint(*below, *above),
        _ => f64::NAN,
    }
}

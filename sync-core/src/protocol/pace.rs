//! How slow a line may be. Either end waits by it, so that neither gives up what the other is still sending.

use std::time::Duration;

/// The slowest line that is waited for, in bytes a second: 8 kbit/s, a fifth of what a 2G line brings.
const SLOWEST: u64 = 1 << 10;

/// How much longer than on the slowest line what travels may take.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How long so many bytes take on the slowest line.
pub const fn on_the_slowest_line(bytes: usize) -> Duration {
    Duration::from_millis((bytes as u64).saturating_mul(1000) / SLOWEST)
}

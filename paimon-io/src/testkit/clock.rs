//! A clock that stands still.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::Clock;

/// A clock that moves only when told to, or when somebody sleeps, and whose identifiers and chances follow from a seed.
#[derive(Debug)]
pub struct ManualClock {
    now_millis: AtomicI64,
    seed: u64,
    ids: AtomicU64,
    chances: AtomicU64,
}

impl ManualClock {
    /// Stands at 2024-01-01T00:00:00Z. Two clocks of one seed give the same identifiers: give each writer its own seed.
    pub fn new(seed: u64) -> Self {
        Self { now_millis: AtomicI64::new(1_704_067_200_000), seed, ids: AtomicU64::new(0), chances: AtomicU64::new(0) }
    }

    /// Moves on by `millis`.
    pub fn advance(&self, millis: i64) {
        self.now_millis.fetch_add(millis, Ordering::Relaxed);
    }
}

#[async_trait::async_trait]
impl Clock for ManualClock {
    fn now_millis(&self) -> i64 {
        self.now_millis.load(Ordering::Relaxed)
    }

    async fn sleep(&self, millis: u64) {
        self.advance(i64::try_from(millis).unwrap_or(i64::MAX));
        tokio::task::yield_now().await;
    }

    fn unique_id(&self) -> String {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        format!("{:08x}-0000-4000-8000-{number:012x}", self.seed & 0xffff_ffff)
    }

    fn random(&self) -> f64 {
        chance(self.seed, self.chances.fetch_add(1, Ordering::Relaxed))
    }
}

/// The `number`-th chance of a seed, from 0 to 1 (SplitMix64).
pub(crate) fn chance(seed: u64, number: u64) -> f64 {
    let mut bits = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    // 53 bits are what a double holds exactly.
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

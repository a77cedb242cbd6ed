//! Which sorted runs of a bucket are merged next. Java: `UniversalCompaction`, `ForceUpLevel0Compaction`,
//! `EarlyFullCompaction`.
//!
//! Runs are picked from the newest on, and none is skipped: the rows of a key stay in the order of their levels.

#[cfg(test)]
mod tests;

use paimon_spec::{Result, TableOptions};

use super::levels::{Levels, Run};

/// When runs are merged.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    size_amplification_percent: u64,
    size_ratio_percent: u64,
    trigger: usize,
    early: Early,
    /// From how many files on all of level 0 goes up, if nothing else is due; `None`: never for that reason.
    level_zero_from: Option<usize>,
}

/// What makes a full compaction due before runs are too many.
#[derive(Debug, Clone, Default)]
struct Early {
    interval_millis: Option<u64>,
    total_bytes: Option<u64>,
    incremental_bytes: Option<u64>,
}

/// The first so many runs, and the level of what becomes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pick {
    pub(crate) runs: usize,
    pub(crate) output_level: i32,
}

/// The runs of a bucket, as far as a policy looks at them.
#[derive(Debug, Clone, Copy)]
struct View<'a> {
    runs: &'a [Run],
    last_level: i32,
}

impl Policy {
    /// What the options ask for. Off-peak hours (`compaction.offpeak.*`) are passed over: they are hours of a place, and
    /// change no more than how much is merged at once.
    pub(crate) fn of(options: TableOptions<'_>) -> Result<Self> {
        Ok(Self {
            size_amplification_percent: options.max_size_amplification_percent()?,
            size_ratio_percent: options.compaction_size_ratio_percent()?,
            trigger: options.compaction_trigger()?,
            early: Early {
                interval_millis: options.compaction_optimization_interval_millis()?,
                total_bytes: options.compaction_total_size_bytes()?,
                incremental_bytes: options.compaction_incremental_size_bytes()?,
            },
            level_zero_from: options.compaction_force_up_level_zero()?.then_some(1),
        })
    }

    /// The same, but all of level 0 goes up when it has so many files.
    pub(crate) fn with_level_zero_from(self, files: usize) -> Self {
        Self { level_zero_from: Some(files), ..self }
    }

    /// What to merge, if anything. `now_millis` is only looked at to tell how long ago the last full compaction was.
    pub(crate) fn pick(&self, levels: &Levels, now_millis: i64) -> Option<Pick> {
        let view = View { runs: &levels.runs, last_level: levels.last_level };
        let pick = self.pick_universal(view, now_millis).or_else(|| self.pick_level_zero(view))?;
        let picked = levels.runs.get(..pick.runs)?;
        // A file that is where it would go to has nothing to be merged with.
        let moves = |run: &Run| run.files.len() > 1 || run.level != pick.output_level;
        (picked.len() > 1 || picked.iter().any(moves)).then_some(pick)
    }

    fn pick_universal(&self, view: View<'_>, now_millis: i64) -> Option<Pick> {
        if self.early.is_due(view, now_millis) {
            return view.all();
        }
        let due = view.runs.len() >= self.trigger;
        if due && self.amplifies(view) {
            return view.all();
        }
        let by_ratio = if due { self.pick_by_ratio(view, 1, false) } else { None };
        by_ratio.or_else(|| {
            let surplus = view.runs.len().checked_sub(self.trigger).filter(|surplus| *surplus > 0)?;
            self.pick_by_ratio(view, surplus + 1, false)
        })
    }

    fn pick_level_zero(&self, view: View<'_>) -> Option<Pick> {
        let files = view.runs.iter().take_while(|run| run.level == 0).count();
        let due = files > 0 && self.level_zero_from.is_some_and(|from| files >= from);
        if due { self.pick_by_ratio(view, files, true) } else { None }
    }

    /// Whether all runs but the oldest take too much room beside it.
    fn amplifies(&self, view: View<'_>) -> bool {
        let Some((oldest, newer)) = view.runs.split_last() else { return false };
        let newer: u128 = newer.iter().map(|run| u128::from(run.bytes)).sum();
        newer * 100 > u128::from(self.size_amplification_percent) * u128::from(oldest.bytes)
    }

    /// The first `count` runs, and those after them that are not much larger than all before them together.
    fn pick_by_ratio(&self, view: View<'_>, mut count: usize, forced: bool) -> Option<Pick> {
        let (picked, rest) = view.runs.split_at_checked(count)?;
        let mut bytes: u128 = picked.iter().map(|run| u128::from(run.bytes)).sum();
        let mut triggered = forced || count > 1;
        for next in rest {
            let much_larger =
                bytes * u128::from(self.size_ratio_percent.saturating_add(100)) < u128::from(next.bytes) * 100;
            if much_larger && (!triggered || next.level > 1) {
                break;
            }
            bytes += u128::from(next.bytes);
            count += 1;
            triggered = true;
        }
        if triggered { view.first(count) } else { None }
    }
}

impl Early {
    fn is_due(&self, view: View<'_>, now_millis: i64) -> bool {
        if view.runs.len() < 2 {
            return false;
        }
        let bytes = |run: &Run| u128::from(run.bytes);
        let total: u128 = view.runs.iter().map(bytes).sum();
        let on_last = |run: &&Run| run.level == view.last_level;
        let incremental = total - view.runs.iter().filter(on_last).map(bytes).sum::<u128>();
        // Java's writers remember the time; where they begin they take it from the files, as we always do.
        let last_full = view.runs.iter().filter(on_last).flat_map(|run| &run.files);
        let last_full = last_full.filter_map(|file| file.creation_time_millis).max();
        let is_over = |interval: u64| {
            last_full.is_none_or(|then| i128::from(now_millis) - i128::from(then) > i128::from(interval))
        };
        self.interval_millis.is_some_and(is_over)
            || self.total_bytes.is_some_and(|threshold| total < u128::from(threshold))
            || self.incremental_bytes.is_some_and(|threshold| incremental > u128::from(threshold))
    }
}

impl View<'_> {
    fn all(self) -> Option<Pick> {
        (!self.runs.is_empty()).then_some(Pick { runs: self.runs.len(), output_level: self.last_level })
    }

    /// The first runs, and more where there is no level between them and the next: nothing is written to level 0.
    fn first(self, mut count: usize) -> Option<Pick> {
        let mut output_level = self.runs.get(count).map_or(self.last_level, |next| (next.level - 1).max(0));
        if output_level == 0 {
            for next in self.runs.get(count..)? {
                count += 1;
                if next.level != 0 {
                    output_level = next.level;
                    break;
                }
            }
        }
        if count >= self.runs.len() { self.all() } else { Some(Pick { runs: count, output_level }) }
    }
}

//! Hashes of keys and their buckets, six bytes each.

/// The largest number of a bucket (Java keeps them in a short, and the largest short free).
pub(crate) const LAST_BUCKET: u16 = i16::MAX as u16 - 1;

/// One grows at a time, so that growing takes little memory.
const SEGMENTS: usize = 16;

/// Slots that a segment starts with.
const FIRST_SLOTS: usize = 16;

/// Mark of a slot without a hash; else one more than the bucket, and [`NEW`].
const FREE: u16 = 0;

/// Mark of a hash that was not there before.
const NEW: u16 = 1 << 15;

/// The bucket of each key hash. Java: `Int2ShortHashMap`.
#[derive(Debug, Default)]
pub(crate) struct KnownHashes {
    segments: [Segment; SEGMENTS],
}

/// A table of open addresses.
#[derive(Debug, Default)]
struct Segment {
    hashes: Vec<i32>,
    marks: Vec<u16>,
    taken: usize,
}

impl KnownHashes {
    /// Makes room for `count` more hashes, of about any distribution.
    pub(crate) fn reserve(&mut self, count: usize) {
        let each = count / SEGMENTS;
        for segment in &mut self.segments {
            segment.reserve(each + each / 16);
        }
    }

    /// The bucket of a hash.
    pub(crate) fn get(&self, hash: i32) -> Option<u16> {
        let segment = &self.segments[segment_of(hash)];
        let at = segment.find(hash)?;
        let mark = segment.marks[at];
        (mark != FREE).then(|| (mark & !NEW) - 1)
    }

    /// Puts a hash of an index file into its bucket, which is [`LAST_BUCKET`] at most.
    pub(crate) fn restore(&mut self, hash: i32, bucket: u16) {
        self.segments[segment_of(hash)].put(hash, bucket + 1);
    }

    /// Puts a hash that is not known yet into its bucket, which is [`LAST_BUCKET`] at most.
    pub(crate) fn add(&mut self, hash: i32, bucket: u16) {
        self.segments[segment_of(hash)].put(hash, (bucket + 1) | NEW);
    }

    /// Bytes of memory that are taken.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.segments.iter().map(|segment| 4 * segment.hashes.capacity() + 2 * segment.marks.capacity()).sum()
    }

    /// The hashes that were added, with their buckets. The memory of those that were taken is freed on the way.
    pub(crate) fn into_added(self) -> impl Iterator<Item = (i32, u16)> {
        let slots = self.segments.into_iter().flat_map(|segment| segment.hashes.into_iter().zip(segment.marks));
        slots.filter(|(_, mark)| mark & NEW != 0).map(|(hash, mark)| (hash, (mark & !NEW) - 1))
    }
}

impl Segment {
    /// The slot that has `hash`, or the free one where it belongs; `None`: there are no slots yet. One in four is free at
    /// least, so it comes to an end.
    fn find(&self, hash: i32) -> Option<usize> {
        let slots = self.marks.len();
        if slots == 0 {
            return None;
        }
        // Hashes are spread by their upper bits after this, whatever bits they differ in.
        let spread = (hash as u32).wrapping_mul(0x9e37_79b1);
        let mut at = ((u64::from(spread) * slots as u64) >> 32) as usize;
        while self.marks[at] != FREE && self.hashes[at] != hash {
            at += 1;
            if at == slots {
                at = 0;
            }
        }
        Some(at)
    }

    fn put(&mut self, hash: i32, mark: u16) {
        self.reserve(1);
        if let Some(at) = self.find(hash) {
            self.taken += usize::from(self.marks[at] == FREE);
            (self.hashes[at], self.marks[at]) = (hash, mark);
        }
    }

    /// Keeps one slot in four free.
    fn reserve(&mut self, count: usize) {
        let (slots, wanted) = (self.marks.len(), self.taken + count);
        if wanted <= slots - slots / 4 {
            return;
        }
        let slots = (wanted + wanted / 3 + 2).max(slots + slots / 2).max(FIRST_SLOTS);
        let old = std::mem::replace(self, Self { hashes: vec![0; slots], marks: vec![FREE; slots], taken: 0 });
        for (hash, mark) in old.hashes.into_iter().zip(old.marks).filter(|(_, mark)| *mark != FREE) {
            if let Some(at) = self.find(hash) {
                (self.hashes[at], self.marks[at]) = (hash, mark);
                self.taken += 1;
            }
        }
    }
}

fn segment_of(hash: i32) -> usize {
    hash as u32 as usize % SEGMENTS
}

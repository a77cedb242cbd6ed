//! Sets as bytes.

use datasketches::theta::{CompactThetaSketch, ThetaUnionBuilder};
use paimon_spec::{Error, Result};
use roaring::RoaringBitmap;

/// A set that is read from bytes and written to them.
pub(super) trait Set: Sized {
    /// # Errors
    /// `CorruptData` when the bytes are not such a set.
    fn read(bytes: &[u8]) -> Result<Self>;

    /// Both sets in one.
    fn union(self, other: Self) -> Result<Self>;

    fn write(self) -> Result<Vec<u8>>;
}

/// 32-bit numbers in the portable form of roaring bitmaps (Java `RoaringBitmap32`).
impl Set for RoaringBitmap {
    fn read(bytes: &[u8]) -> Result<Self> {
        Self::deserialize_from(bytes).map_err(|e| corrupt("a roaring bitmap of 32-bit numbers", bytes).with_source(e))
    }

    fn union(self, other: Self) -> Result<Self> {
        Ok(self | other)
    }

    fn write(mut self) -> Result<Vec<u8>> {
        self.optimize();
        let mut bytes = Vec::with_capacity(self.serialized_size());
        self.serialize_into(&mut bytes).map_err(|e| Error::internal("paimon-merge", e))?;
        Ok(bytes)
    }
}

pub(super) fn corrupt(wanted: &str, bytes: &[u8]) -> Error {
    Error::corrupt(format!("expected {wanted}, found {} other bytes", bytes.len()))
}

/// HyperLogLog sketches of Apache DataSketches. The maintained library unites the same registers as Java, but orders
/// coupons and rounds the running estimate in another way, so that its bytes are others.
pub(super) enum HllSketch {}

impl Set for HllSketch {
    fn read(_bytes: &[u8]) -> Result<Self> {
        Err(Error::unsupported("merging HyperLogLog sketches is not supported"))
    }

    fn union(self, _other: Self) -> Result<Self> {
        match self {}
    }

    fn write(self) -> Result<Vec<u8>> {
        match self {}
    }
}

/// Theta sketches of Apache DataSketches.
impl Set for CompactThetaSketch {
    fn read(bytes: &[u8]) -> Result<Self> {
        Self::deserialize(bytes).map_err(|e| corrupt("a theta sketch", bytes).with_source(e))
    }

    /// Java `ThetaSketch.union`, of the default precision.
    fn union(self, other: Self) -> Result<Self> {
        let failed = |e| Error::internal("paimon-merge", e);
        let mut union = ThetaUnionBuilder::default().build().map_err(failed)?;
        union.update(&self).map_err(failed)?;
        union.update(&other).map_err(failed)?;
        Ok(union.to_sketch(true))
    }

    fn write(self) -> Result<Vec<u8>> {
        let mut bytes = self.serialize();
        // Java marks sketches of one value, of 16 bytes, and says in longer ones what share of values was sampled: all.
        if let (16, Some(flags)) = (bytes.len(), bytes.get_mut(5)) {
            *flags |= THETA_SINGLE;
        } else if let Some(sampled) = bytes.get_mut(12..16) {
            sampled.copy_from_slice(&1_f32.to_le_bytes());
        }
        Ok(bytes)
    }
}

/// The flag of theta sketches of one value.
const THETA_SINGLE: u8 = 1 << 5;

//! Run-length encodings: of bytes, of bits, and the two of integers.

use arrow::{array::BooleanBufferBuilder, buffer::BooleanBuffer};
use paimon_spec::Result;

use super::{corrupt, input::Input, proto::unzigzag};

/// Runs of bytes.
#[derive(Debug, Clone)]
pub(super) struct ByteRuns {
    input: Input,
    /// Values left of the run.
    left: usize,
    /// The value of a run of equal ones; `None`: each value is in the input.
    value: Option<u8>,
}

impl ByteRuns {
    pub(super) fn new(input: Input) -> Self {
        Self { input, left: 0, value: None }
    }

    /// Starts the next run if the last one is over.
    fn start_run(&mut self) -> Result<()> {
        if self.left == 0 {
            let control = self.input.byte()?;
            if control < 0x80 {
                self.value = Some(self.input.byte()?);
                self.left = usize::from(control) + 3;
            } else {
                self.value = None;
                self.left = 0x100 - usize::from(control);
            }
        }
        Ok(())
    }

    /// The next byte.
    fn next(&mut self) -> Result<u8> {
        self.start_run()?;
        self.left -= 1;
        self.value.map_or_else(|| self.input.byte(), Ok)
    }

    /// The next `count` bytes.
    pub(super) fn read(&mut self, count: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for _ in 0..count {
            bytes.push(self.next()?);
        }
        Ok(bytes)
    }
}

/// Runs of bytes that hold eight bits each, high ones first.
#[derive(Debug, Clone)]
pub(super) struct Bits {
    bytes: ByteRuns,
    /// The bits left of the last byte, at its low end.
    current: u8,
    left: u32,
}

impl Bits {
    pub(super) fn new(input: Input) -> Self {
        Self { bytes: ByteRuns::new(input), current: 0, left: 0 }
    }

    /// The next `count` bits.
    pub(super) fn read(&mut self, count: usize) -> Result<BooleanBuffer> {
        let mut bits = BooleanBufferBuilder::new(0);
        while bits.len() < count {
            if self.left == 0 {
                self.bytes.start_run()?;
                let whole = self.bytes.left.min((count - bits.len()) / 8);
                if let (Some(value @ (0 | 0xff)), 1..) = (self.bytes.value, whole) {
                    bits.append_n(whole * 8, value == 0xff);
                    self.bytes.left -= whole;
                    continue;
                }
                self.current = self.bytes.next()?;
                self.left = 8;
            }
            let take = (self.left as usize).min(count - bits.len());
            // The bits in question, at the high end, then in Arrow's order: the first one lowest.
            let aligned = (u32::from(self.current) << (8 - self.left)) as u8;
            bits.append_packed_range(0..take, &[aligned.reverse_bits()]);
            self.left -= take as u32;
        }
        Ok(bits.finish())
    }
}

/// Which encoding of integers a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// Runs of integers.
#[derive(Debug, Clone)]
pub(super) struct Integers {
    input: Input,
    version: Version,
    signed: bool,
    /// The run that was decoded last.
    run: Vec<i64>,
    /// How many of its values were given out.
    given: usize,
}

impl Integers {
    pub(super) fn new(input: Input, version: Version, signed: bool) -> Self {
        Self { input, version, signed, run: Vec::new(), given: 0 }
    }

    /// The next `count` integers. Memory is taken run by run: a count that the stream does not have costs nothing.
    pub(super) fn read(&mut self, count: usize) -> Result<Vec<i64>> {
        let mut values = Vec::new();
        while values.len() < count {
            if self.given == self.run.len() {
                self.run.clear();
                self.given = 0;
                match self.version {
                    Version::V1 => self.run_v1()?,
                    Version::V2 => self.run_v2()?,
                }
            }
            let take = (self.run.len() - self.given).min(count - values.len());
            values.extend_from_slice(&self.run[self.given..self.given + take]);
            self.given += take;
        }
        Ok(values)
    }

    fn varint(&mut self) -> Result<i64> {
        if self.signed { self.input.signed_varint() } else { self.input.varint().map(|number| number as i64) }
    }

    fn sign(&self, number: u64) -> i64 {
        if self.signed { unzigzag(number) } else { number as i64 }
    }

    fn run_v1(&mut self) -> Result<()> {
        let control = self.input.byte()?;
        if control < 0x80 {
            let delta = i64::from(self.input.byte()? as i8);
            let mut value = self.varint()?;
            for _ in 0..usize::from(control) + 3 {
                self.run.push(value);
                value = value.wrapping_add(delta);
            }
        } else {
            for _ in 0..0x100 - usize::from(control) {
                let value = self.varint()?;
                self.run.push(value);
            }
        }
        Ok(())
    }

    fn run_v2(&mut self) -> Result<()> {
        let control = self.input.byte()?;
        match control >> 6 {
            0 => self.short_repeat(control),
            1 => self.direct(control),
            2 => self.patched_base(control),
            _ => self.delta(control),
        }
    }

    fn short_repeat(&mut self, control: u8) -> Result<()> {
        let width = usize::from(control >> 3 & 7) + 1;
        let value = self.input.big_endian(width)?;
        let value = self.sign(value);
        self.run.resize(usize::from(control & 7) + 3, value);
        Ok(())
    }

    /// The length of a run of the three long encodings, 1 to 512.
    fn length(&mut self, control: u8) -> Result<usize> {
        Ok((usize::from(control & 1) << 8 | usize::from(self.input.byte()?)) + 1)
    }

    fn direct(&mut self, control: u8) -> Result<()> {
        let width = width(control >> 1);
        let length = self.length(control)?;
        let mut packed = Packed::new(&mut self.input, width, length)?;
        for _ in 0..length {
            let value = packed.next();
            self.run.push(if self.signed { unzigzag(value) } else { value as i64 });
        }
        Ok(())
    }

    fn patched_base(&mut self, control: u8) -> Result<()> {
        let value_width = width(control >> 1);
        let length = self.length(control)?;
        let third = self.input.byte()?;
        let base_width = usize::from(third >> 5) + 1;
        let patch_width = width(third);
        let fourth = self.input.byte()?;
        let gap_width = u32::from(fourth >> 5) + 1;
        let patches = usize::from(fourth & 0x1f);
        if patch_width + gap_width > 64 || value_width == 64 {
            return Err(corrupt("a run of integers has patches of more than 64 bits"));
        }
        // The base has its sign in the highest bit.
        let base = self.input.big_endian(base_width)?;
        let sign = 1u64 << (base_width * 8 - 1);
        let base = if base & sign == 0 { base as i64 } else { ((base & !sign) as i64).wrapping_neg() };
        let mut packed = Packed::new(&mut self.input, value_width, length)?;
        for _ in 0..length {
            self.run.push(packed.next() as i64);
        }
        let mut packed = Packed::new(&mut self.input, wider(patch_width + gap_width), patches)?;
        let mut at = 0usize;
        for _ in 0..patches {
            let entry = packed.next();
            // An entry wider than its parts has them at its low end.
            let patch = entry & (u64::MAX >> (64 - patch_width));
            let gap = entry >> patch_width & (u64::MAX >> (64 - gap_width));
            at += gap as usize;
            let value = self.run.get_mut(at).ok_or_else(|| corrupt("a run of integers has a patch behind its end"))?;
            *value |= (patch << value_width) as i64;
        }
        for value in &mut self.run {
            *value = value.wrapping_add(base);
        }
        Ok(())
    }

    fn delta(&mut self, control: u8) -> Result<()> {
        let code = control >> 1 & 0x1f;
        let length = self.length(control)?;
        let mut value = self.varint()?;
        let first = self.input.signed_varint()?;
        self.run.push(value);
        if code == 0 {
            for _ in 1..length {
                value = value.wrapping_add(first);
                self.run.push(value);
            }
            return Ok(());
        }
        if length > 1 {
            value = value.wrapping_add(first);
            self.run.push(value);
        }
        let others = length.saturating_sub(2);
        let mut packed = Packed::new(&mut self.input, width(code), others)?;
        for _ in 0..others {
            let delta = packed.next() as i64;
            value = if first < 0 { value.wrapping_sub(delta) } else { value.wrapping_add(delta) };
            self.run.push(value);
        }
        Ok(())
    }
}

/// Bits of a value, by the five bits that stand for them.
fn width(code: u8) -> u32 {
    match code & 0x1f {
        code @ 0..=23 => u32::from(code) + 1,
        24 => 26,
        25 => 28,
        26 => 30,
        27 => 32,
        28 => 40,
        29 => 48,
        30 => 56,
        _ => 64,
    }
}

/// The next width that has a code.
fn wider(bits: u32) -> u32 {
    match bits {
        0..=24 => bits.max(1),
        25..=26 => 26,
        27..=28 => 28,
        29..=30 => 30,
        31..=32 => 32,
        33..=40 => 40,
        41..=48 => 48,
        49..=56 => 56,
        _ => 64,
    }
}

/// Numbers of a fixed width next to one another, high bits first.
struct Packed {
    /// 512 numbers of 64 bits at most, and room to look at nine bytes from any of them.
    bytes: [u8; 512 * 8 + 9],
    width: usize,
    bit: usize,
}

impl Packed {
    fn new(input: &mut Input, width: u32, count: usize) -> Result<Self> {
        let mut packed = Self { bytes: [0; 512 * 8 + 9], width: width as usize, bit: 0 };
        let length = (packed.width * count).div_ceil(8);
        input.fill(&mut packed.bytes[..length])?;
        Ok(packed)
    }

    /// The next number. There are as many as were announced.
    fn next(&mut self) -> u64 {
        let (byte, shift) = (self.bit / 8, self.bit % 8);
        self.bit += self.width;
        let mut wide = [0; 16];
        wide[..9].copy_from_slice(&self.bytes[byte..byte + 9]);
        ((u128::from_be_bytes(wide) << shift) >> (128 - self.width)) as u64
    }
}

//! The end of a file: the postscript, the footer, and the statistics of the stripes.

use bytes::Bytes;
use paimon_spec::{Error, Result};

use super::{
    codec::Codec,
    corrupt,
    proto::{Fields, Value},
};

/// Bytes of a footer, decompressed: far above those of real files.
const MAX_FOOTER_BYTES: usize = 16 << 20;

/// Columns of a file, nested ones included.
const MAX_TYPES: usize = 100_000;

/// Stripes of a file.
const MAX_STRIPES: usize = 1_000_000;

/// Types within types.
const MAX_NESTING: usize = 64;

/// Number of the library that Java uses, as `Footer.writer` has it.
const WRITER_JAVA: u64 = 0;

/// What the end of a file says about the rest of it.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) codec: Option<Codec>,
    /// Types in the order of a walk over the tree, from its root; a column goes by its position here.
    pub(super) types: Vec<Type>,
    pub(super) stripes: Vec<Stripe>,
    pub(super) row_count: u64,
    /// Whether the library of Java wrote the file.
    pub(super) by_java: bool,
    /// The message of statistics, decompressed; empty: there are none.
    statistics: Bytes,
}

/// A type of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Type {
    pub(super) kind: Kind,
    /// Positions of the types within.
    pub(super) children: Vec<usize>,
    /// Names of the children of a struct.
    pub(super) names: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Byte,
    Short,
    Int,
    Long,
    Float,
    Double,
    String,
    Binary,
    Timestamp,
    List,
    Map,
    Struct,
    Decimal { precision: u8, scale: u8 },
    Date,
    VarChar,
    Char,
    TimestampInstant,
}

/// Where a stripe is: rows, then its parts one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stripe {
    pub(super) offset: u64,
    pub(super) index_length: u64,
    pub(super) data_length: u64,
    pub(super) footer_length: u64,
    pub(super) row_count: u64,
}

impl Stripe {
    /// End of the streams, where the stripe's footer starts.
    pub(super) fn streams_end(&self) -> u64 {
        self.offset + self.index_length + self.data_length
    }

    /// End of the stripe.
    pub(super) fn end(&self) -> u64 {
        self.streams_end() + self.footer_length
    }
}

/// A tail, or what is missing to decode it.
#[derive(Debug)]
pub(super) enum Decoded {
    Tail(Box<Tail>),
    /// So many bytes of the file's end are wanted.
    Wants(u64),
}

impl Tail {
    /// Decodes the tail of a file of `size` bytes from `end`, its last bytes.
    pub(super) fn decode(end: &Bytes, size: u64) -> Result<Decoded> {
        let (postscript_length, before) = end.split_last().ok_or_else(|| corrupt("the file is empty"))?;
        let postscript_length = usize::from(*postscript_length);
        if before.len() < postscript_length {
            return match size > end.len() as u64 {
                true => Ok(Decoded::Wants(postscript_length as u64 + 1)),
                false => Err(corrupt("the file is too small for its postscript")),
            };
        }
        let (before, postscript) = before.split_at(before.len() - postscript_length);
        let postscript = Postscript::decode(postscript)?;
        let metadata = postscript.footer_length.checked_add(postscript.statistics_length);
        let wanted = metadata.and_then(|length| length.checked_add(postscript_length as u64 + 1));
        let Some(wanted) = wanted.filter(|wanted| *wanted <= size) else {
            return Err(corrupt(format!(
                "wanted a footer of {} bytes after statistics of {}, found a file of {size}",
                postscript.footer_length, postscript.statistics_length
            )));
        };
        if wanted > end.len() as u64 {
            return Ok(Decoded::Wants(wanted));
        }
        // Both are no longer than `before`.
        let footer_start = before.len() - postscript.footer_length as usize;
        let statistics_start = footer_start - postscript.statistics_length as usize;
        let unfold = |part: Bytes| match postscript.codec {
            Some(codec) => codec.all_blocks(part, MAX_FOOTER_BYTES),
            None => Ok(part),
        };
        let footer = unfold(end.slice(footer_start..before.len()))?;
        let mut tail = Self {
            codec: postscript.codec,
            types: Vec::new(),
            stripes: Vec::new(),
            row_count: 0,
            by_java: true,
            // Without statistics all stripes are read, so damage to them is no damage to the rows.
            statistics: unfold(end.slice(statistics_start..footer_start)).unwrap_or_default(),
        };
        tail.footer(&footer)?;
        tail.check_types()?;
        tail.check_stripes(size - wanted)?;
        Ok(Decoded::Tail(Box::new(tail)))
    }

    fn footer(&mut self, footer: &[u8]) -> Result<()> {
        for field in Fields(footer) {
            match field? {
                (3, stripe) => {
                    if self.stripes.len() == MAX_STRIPES {
                        return Err(corrupt(format!("the file has more than {MAX_STRIPES} stripes")));
                    }
                    self.stripes.push(Stripe::decode(stripe.bytes()?)?);
                }
                (4, data_type) => {
                    if self.types.len() == MAX_TYPES {
                        return Err(corrupt(format!("the file has more than {MAX_TYPES} columns")));
                    }
                    self.types.push(Type::decode(data_type.bytes()?)?);
                }
                (6, rows) => self.row_count = rows.number()?,
                (9, writer) => self.by_java = writer.number()? == WRITER_JAVA,
                (10, _) => return Err(Error::unsupported("encrypted ORC files are not supported")),
                _ => {}
            }
        }
        Ok(())
    }

    /// Types are in the order of a walk over the tree: each is the child of one type before it.
    fn check_types(&self) -> Result<()> {
        let Some(Type { kind: Kind::Struct, .. }) = self.types.first() else {
            return Err(corrupt("the columns of the file are not fields of a struct"));
        };
        let mut next = 0;
        self.check_type(&mut next, MAX_NESTING)?;
        if next < self.types.len() {
            return Err(corrupt(format!("{} columns belong to none", self.types.len() - next)));
        }
        Ok(())
    }

    fn check_type(&self, next: &mut usize, nesting: usize) -> Result<()> {
        let position = *next;
        let data_type = self.types.get(position).ok_or_else(|| corrupt(format!("there is no column {position}")))?;
        if nesting == 0 {
            return Err(corrupt(format!("columns are nested more than {MAX_NESTING} deep")));
        }
        let children = data_type.children.len();
        let fits = match data_type.kind {
            Kind::List => children == 1,
            Kind::Map => children == 2,
            Kind::Struct => children == data_type.names.len(),
            _ => children == 0,
        };
        if !fits {
            return Err(corrupt(format!("column {position} of type {:?} has {children} children", data_type.kind)));
        }
        *next += 1;
        for child in &data_type.children {
            if child != next {
                return Err(corrupt(format!("wanted column {next} as a child of column {position}, found {child}")));
            }
            self.check_type(next, nesting - 1)?;
        }
        Ok(())
    }

    /// Stripes lie before `end`, and have the rows of the file.
    fn check_stripes(&self, end: u64) -> Result<()> {
        let mut rows = 0u64;
        for (index, stripe) in self.stripes.iter().enumerate() {
            let parts = [stripe.offset, stripe.index_length, stripe.data_length, stripe.footer_length];
            let stripe_end = parts.into_iter().try_fold(0u64, u64::checked_add);
            if stripe_end.is_none_or(|stripe_end| stripe_end > end) {
                return Err(corrupt(format!("stripe {index} at byte {} ends behind the data", stripe.offset)));
            }
            rows = rows.saturating_add(stripe.row_count);
        }
        if rows != self.row_count {
            return Err(corrupt(format!("wanted {} rows as the footer says, found {rows} in stripes", self.row_count)));
        }
        Ok(())
    }

    /// The statistics of each stripe, as messages of theirs; none where the writer kept none.
    pub(super) fn stripe_statistics(&self) -> Vec<&[u8]> {
        let found = repeated(&self.statistics).unwrap_or_default();
        if found.len() == self.stripes.len() { found } else { Vec::new() }
    }

    /// What this takes in memory, about.
    pub(super) fn memory_bytes(&self) -> usize {
        let types = self.types.iter().map(|t| {
            let names = t.names.iter().map(|name| size_of::<String>() + name.len()).sum::<usize>();
            size_of::<Type>() + t.children.len() * size_of::<usize>() + names
        });
        types.sum::<usize>() + self.stripes.len() * size_of::<Stripe>() + self.statistics.len()
    }
}

struct Postscript {
    footer_length: u64,
    statistics_length: u64,
    codec: Option<Codec>,
}

impl Postscript {
    fn decode(message: &[u8]) -> Result<Self> {
        let (mut footer_length, mut statistics_length, mut compression, mut block_bytes) = (0, 0, 0, None);
        let mut magic: &[u8] = &[];
        for field in Fields(message) {
            match field? {
                (1, value) => footer_length = value.number()?,
                (2, value) => compression = value.number()?,
                (3, value) => block_bytes = Some(value.number()?),
                (5, value) => statistics_length = value.number()?,
                (8000, value) => magic = value.bytes()?,
                _ => {}
            }
        }
        if magic != b"ORC" {
            return Err(corrupt("the file does not end as an ORC file does"));
        }
        Ok(Self { footer_length, statistics_length, codec: Codec::new(compression, block_bytes)? })
    }
}

impl Stripe {
    fn decode(message: &[u8]) -> Result<Self> {
        let mut stripe = Self { offset: 0, index_length: 0, data_length: 0, footer_length: 0, row_count: 0 };
        for field in Fields(message) {
            let (number, value) = field?;
            match number {
                1 => stripe.offset = value.number()?,
                2 => stripe.index_length = value.number()?,
                3 => stripe.data_length = value.number()?,
                4 => stripe.footer_length = value.number()?,
                5 => stripe.row_count = value.number()?,
                _ => {}
            }
        }
        Ok(stripe)
    }
}

impl Type {
    fn decode(message: &[u8]) -> Result<Self> {
        let (mut kind, mut precision, mut scale) = (0, 38, 10);
        let (mut children, mut names) = (Vec::new(), Vec::new());
        for field in Fields(message) {
            match field? {
                (1, value) => kind = value.number()?,
                (2, value) => value.numbers(&mut children)?,
                (3, value) => names.push(text(value)?),
                (5, value) => precision = value.number()?,
                (6, value) => scale = value.number()?,
                _ => {}
            }
            if children.len().max(names.len()) > MAX_TYPES {
                return Err(corrupt(format!("the file has more than {MAX_TYPES} columns")));
            }
        }
        let kind = match kind {
            0 => Kind::Boolean,
            1 => Kind::Byte,
            2 => Kind::Short,
            3 => Kind::Int,
            4 => Kind::Long,
            5 => Kind::Float,
            6 => Kind::Double,
            7 => Kind::String,
            8 => Kind::Binary,
            9 => Kind::Timestamp,
            10 => Kind::List,
            11 => Kind::Map,
            12 => Kind::Struct,
            13 => return Err(Error::unsupported("ORC columns of type UNION are not supported")),
            14 => match (u8::try_from(precision), u8::try_from(scale)) {
                (Ok(precision @ 1..=38), Ok(scale)) if scale <= precision => Kind::Decimal { precision, scale },
                _ => return Err(corrupt(format!("the file has a column DECIMAL({precision}, {scale})"))),
            },
            15 => Kind::Date,
            16 => Kind::VarChar,
            17 => Kind::Char,
            18 => Kind::TimestampInstant,
            other => return Err(Error::unsupported(format!("ORC columns of type {other} are not supported"))),
        };
        let children = children.into_iter().map(|child| usize::try_from(child).unwrap_or(usize::MAX)).collect();
        Ok(Self { kind, children, names })
    }
}

/// The messages that are the repeated field 1 of a message: of statistics the stripes, of a stripe the columns.
pub(super) fn repeated(message: &[u8]) -> Option<Vec<&[u8]>> {
    let mut messages = Vec::new();
    for field in Fields(message) {
        if let (1, value) = field.ok()? {
            messages.push(value.bytes().ok()?);
        }
    }
    Some(messages)
}

/// A text in a message.
pub(super) fn text(value: Value<'_>) -> Result<String> {
    let text = std::str::from_utf8(value.bytes()?);
    text.map(str::to_owned).map_err(|e| corrupt("a name in the file is no UTF-8 text").with_source(e))
}

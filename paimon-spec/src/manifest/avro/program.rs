//! Resolution of a writer's schema into steps, and running them over records.

use std::fmt;

use super::cursor::Cursor;
use super::schema::{self, Schema};
use crate::names::check_names;
use crate::{Error, Result};

/// Number of a value in a [`Record`]; see [`Field`].
pub(in crate::manifest) type Slot = usize;

/// Slots of a record. The last is where values go that nobody wants.
const SLOTS: usize = 32;
const NOWHERE: Slot = SLOTS - 1;
/// Bounds what a schema that repeats its types can grow to.
const MAX_VALUES: usize = 4096;
/// Bounds how deep values are nested.
const MAX_DEPTH: usize = 64;

/// A field that is wanted of a record.
///
/// Fields that are not records get a slot each, numbered in order and depth first. Items of an array number theirs
/// anew.
#[derive(Debug)]
pub(in crate::manifest) struct Field {
    pub(in crate::manifest) name: &'static str,
    pub(in crate::manifest) shape: Shape,
    pub(in crate::manifest) required: bool,
}

/// What a field is to be read as.
#[derive(Debug, Clone, Copy)]
pub(in crate::manifest) enum Shape {
    /// `int` or `long`
    Number,
    /// `bytes` or `string`
    Bytes,
    /// An array; see [`Program::for_each_item`].
    Array(&'static Shape),
    /// A record, whose fields are numbered with those of the record around it.
    Record(&'static [Field]),
}

impl Field {
    pub(in crate::manifest) const fn required(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, required: true }
    }

    pub(in crate::manifest) const fn optional(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, required: false }
    }
}

impl Shape {
    /// How many slots values of this shape take.
    fn slots(self) -> usize {
        match self {
            Self::Record(fields) => fields.iter().map(|field| field.shape.slots()).sum(),
            _ => 1,
        }
    }
}

/// A writer's schema, resolved.
pub(in crate::manifest) struct Program {
    steps: Vec<Step>,
    /// Bit of a slot: every record must fill it.
    required: u32,
    /// Names of the slots' fields.
    names: [&'static str; SLOTS],
    /// How to read the items of the array in a slot.
    items: Vec<(Slot, Program)>,
}

/// A step moves over a value, and notes in a slot where it is.
enum Step {
    Number(Slot),
    Bytes(Slot),
    Fixed {
        slot: Slot,
        len: usize,
    },
    /// An array, or a map whose entries are the items.
    Array {
        slot: Slot,
        skip: Vec<Step>,
    },
    /// A union of null with something else, which is the branch `some`.
    Nullable {
        some: i64,
        steps: Vec<Step>,
    },
    Union(Vec<Vec<Step>>),
    /// A branch of a union that is not what is wanted.
    Mismatch {
        name: &'static str,
    },
}

/// One record: where its values are in a block.
#[derive(Clone)]
pub(in crate::manifest) struct Record<'a> {
    block: &'a [u8],
    /// Bit of a slot: it is filled.
    present: u32,
    /// A number, or `start << 32 | length` of bytes in the block.
    values: [u64; SLOTS],
}

/// The records of a block, read one after the other.
pub(in crate::manifest) struct Records<'a> {
    cursor: Cursor<'a>,
    left: u64,
}

impl<'a> Records<'a> {
    /// The `count` records of a decompressed block.
    pub(in crate::manifest) fn new(block: &'a [u8], count: u64) -> Self {
        Self { cursor: Cursor::new(block), left: count }
    }

    /// Moves over the next record; false at the end.
    ///
    /// # Errors
    /// `CorruptData` when the bytes are not a record of the schema, a required value is null, or the block has not as
    /// many records as it says.
    pub(in crate::manifest) fn next(&mut self, program: &Program, record: &mut Record<'a>) -> Result<bool> {
        if self.left == 0 {
            return match self.cursor.remaining() {
                0 => Ok(false),
                left => Err(Error::corrupt(format!("expected the end of an Avro block, found {left} more bytes"))),
            };
        }
        self.left -= 1;
        program.read(&mut self.cursor, record)?;
        Ok(true)
    }
}

impl Program {
    /// Resolves the schema `json` of a file's writer against the fields of a record, by name.
    ///
    /// # Errors
    /// `CorruptData` when it is not a record schema, lacks a required field, or has a field of another type;
    /// `Unsupported` when it is recursive or nested too deep.
    pub(in crate::manifest) fn compile(json: &[u8], fields: &'static [Field]) -> Result<Self> {
        let schema = schema::parse(json)?;
        let record = Want { name: "the record", shape: Shape::Record(fields), slot: 0 };
        Compiler { values: 0 }.program(&schema, record, true)
    }

    fn read<'a>(&self, cursor: &mut Cursor<'a>, record: &mut Record<'a>) -> Result<()> {
        record.present = 0;
        run(&self.steps, cursor, record)?;
        let missing = self.required & !record.present;
        if missing == 0 {
            return Ok(());
        }
        Err(Error::corrupt(format!(
            "expected a value of {}, found null",
            self.names[missing.trailing_zeros() as usize]
        )))
    }

    /// Calls `visit` with each item of the array in `slot`, whose value is in slot 0, or whose values, for a record,
    /// are in slots from 0; not at all when the array is null.
    ///
    /// # Errors
    /// Those of `visit`; `CorruptData` when a required value is null.
    pub(in crate::manifest) fn for_each_item<'a>(
        &self,
        record: &Record<'a>,
        slot: Slot,
        mut visit: impl FnMut(&Record<'a>) -> Result<()>,
    ) -> Result<()> {
        let items = self.items.iter().find(|(array, _)| *array == slot);
        let (Some(bytes), Some((_, program))) = (record.optional_bytes(slot), items) else {
            return Ok(());
        };
        let mut cursor = Cursor::new(bytes);
        let mut item = Record::new(bytes);
        loop {
            let count = cursor.block_count()?;
            if count == 0 {
                return Ok(());
            }
            for _ in 0..count {
                program.read(&mut cursor, &mut item)?;
                visit(&item)?;
            }
        }
    }

    /// The name of the field in `slot`.
    pub(in crate::manifest) fn name(&self, slot: Slot) -> &'static str {
        self.names[slot]
    }
}

impl<'a> Record<'a> {
    pub(in crate::manifest) fn new(block: &'a [u8]) -> Self {
        Self { block, present: 0, values: [0; SLOTS] }
    }

    /// The number in `slot`, or 0 when it is null.
    #[inline]
    pub(in crate::manifest) fn number(&self, slot: Slot) -> i64 {
        self.optional_number(slot).unwrap_or_default()
    }

    #[inline]
    pub(in crate::manifest) fn optional_number(&self, slot: Slot) -> Option<i64> {
        self.is_present(slot).then(|| self.values[slot] as i64)
    }

    /// Where the bytes in `slot` are in the block; at the start, and empty, when they are null.
    #[inline]
    pub(in crate::manifest) fn span(&self, slot: Slot) -> std::ops::Range<usize> {
        let value = if self.is_present(slot) { self.values[slot] } else { 0 };
        let start = (value >> 32) as usize;
        start..start + value as u32 as usize
    }

    /// The bytes in `slot`, or none when they are null. Of an array: its encoding, which is never empty.
    #[inline]
    pub(in crate::manifest) fn bytes(&self, slot: Slot) -> &'a [u8] {
        &self.block[self.span(slot)]
    }

    #[inline]
    pub(in crate::manifest) fn optional_bytes(&self, slot: Slot) -> Option<&'a [u8]> {
        self.is_present(slot).then(|| self.bytes(slot))
    }

    #[inline]
    pub(in crate::manifest) fn is_present(&self, slot: Slot) -> bool {
        self.present & 1 << slot != 0
    }

    #[inline]
    fn fill(&mut self, slot: Slot, value: u64) {
        self.present |= 1 << slot;
        self.values[slot] = value;
    }

    #[inline]
    fn fill_span(&mut self, slot: Slot, start: usize, end: usize) {
        // Blocks are smaller than 4 GiB.
        self.fill(slot, (start as u64) << 32 | (end - start) as u64);
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("present", &format_args!("{:#b}", self.present)).finish_non_exhaustive()
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("steps", &self.steps.len()).finish_non_exhaustive()
    }
}

fn run(steps: &[Step], cursor: &mut Cursor<'_>, record: &mut Record<'_>) -> Result<()> {
    for step in steps {
        match step {
            Step::Number(slot) => {
                let value = cursor.long()?;
                record.fill(*slot, value as u64);
            }
            Step::Bytes(slot) => {
                let len = cursor.len()?;
                let start = cursor.position();
                cursor.take(len)?;
                record.fill_span(*slot, start, start + len);
            }
            Step::Nullable { some, steps } => match cursor.long()? {
                branch if branch == *some => run(steps, cursor, record)?,
                branch if branch == 1 - some => {}
                branch => return Err(bad_branch(branch, 2)),
            },
            Step::Array { slot, skip } => {
                let start = cursor.position();
                loop {
                    let count = cursor.block_count()?;
                    if count == 0 {
                        break;
                    }
                    for _ in 0..count {
                        run(skip, cursor, record)?;
                    }
                }
                record.fill_span(*slot, start, cursor.position());
            }
            Step::Fixed { slot, len } => {
                let start = cursor.position();
                cursor.take(*len)?;
                record.fill_span(*slot, start, start + len);
            }
            Step::Union(branches) => {
                let branch = cursor.long()?;
                let steps = usize::try_from(branch).ok().and_then(|branch| branches.get(branch));
                run(steps.ok_or_else(|| bad_branch(branch, branches.len()))?, cursor, record)?;
            }
            Step::Mismatch { name } => return Err(mismatch(name)),
        }
    }
    Ok(())
}

/// A value that is wanted.
#[derive(Clone, Copy)]
struct Want {
    name: &'static str,
    shape: Shape,
    slot: Slot,
}

struct Compiler {
    /// Values of the schema seen so far.
    values: usize,
}

impl Compiler {
    fn program(&mut self, schema: &Schema, want: Want, required: bool) -> Result<Program> {
        let mut program = Program { steps: Vec::new(), required: 0, names: [""; SLOTS], items: Vec::new() };
        declare(want, required, &mut program);
        program.steps = self.value(schema, Some(want), &mut program, 0)?;
        Ok(program)
    }

    /// Steps over a value; those over a value that is not wanted note it [`NOWHERE`].
    fn value(&mut self, schema: &Schema, want: Option<Want>, program: &mut Program, depth: usize) -> Result<Vec<Step>> {
        self.values += 1;
        if self.values > MAX_VALUES || depth > MAX_DEPTH {
            return Err(Error::unsupported("the Avro schema is too large or nested too deep"));
        }
        let slot = want.map_or(NOWHERE, |want| want.slot);
        let shape = want.map(|want| want.shape);
        let step = match (schema, shape) {
            (Schema::Null, _) => return Ok(Vec::new()),
            (Schema::Int | Schema::Long, None | Some(Shape::Number)) => Step::Number(slot),
            (Schema::Bytes | Schema::String, None | Some(Shape::Bytes)) => Step::Bytes(slot),
            (Schema::Fixed(len), None | Some(Shape::Bytes)) => Step::Fixed { slot, len: *len },
            (Schema::Boolean, None) => Step::Fixed { slot, len: 1 },
            (Schema::Float, None) => Step::Fixed { slot, len: 4 },
            (Schema::Double, None) => Step::Fixed { slot, len: 8 },
            (Schema::Array(items), None | Some(Shape::Array(_))) => {
                if let (Some(Shape::Array(shape)), Some(want)) = (shape, want) {
                    let item = Want { name: want.name, shape: *shape, slot: 0 };
                    let nullable = matches!(&**items, Schema::Union(_)) && matches!(shape, Shape::Number);
                    program.items.push((slot, self.program(items, item, !nullable)?));
                }
                Step::Array { slot, skip: self.items(vec![], items, program, depth)? }
            }
            (Schema::Map(values), None) => {
                Step::Array { slot, skip: self.items(vec![Step::Bytes(NOWHERE)], values, program, depth)? }
            }
            (Schema::Union(branches), _) => self.union(branches, want, program, depth)?,
            (Schema::Record(fields), None) => {
                let mut steps = Vec::new();
                for (_, field) in fields {
                    steps.extend(self.value(field, None, program, depth + 1)?);
                }
                return Ok(steps);
            }
            (Schema::Record(fields), Some(Shape::Record(wanted))) => {
                return self.record(fields, wanted, slot, program, depth);
            }
            (_, Some(_)) => return Err(mismatch(want.map_or("", |want| want.name))),
        };
        Ok(vec![step])
    }

    /// Steps over an item that is not wanted now.
    fn items(
        &mut self,
        mut steps: Vec<Step>,
        schema: &Schema,
        program: &mut Program,
        depth: usize,
    ) -> Result<Vec<Step>> {
        steps.extend(self.value(schema, None, program, depth + 1)?);
        // Items without bytes could be repeated for ever.
        if steps.is_empty() || steps.iter().all(|step| matches!(step, Step::Fixed { len: 0, .. })) {
            return Err(Error::unsupported("an Avro array of items without bytes is not supported"));
        }
        Ok(steps)
    }

    fn union(
        &mut self,
        branches: &[std::rc::Rc<Schema>],
        want: Option<Want>,
        program: &mut Program,
        depth: usize,
    ) -> Result<Step> {
        let mut compiled = Vec::with_capacity(branches.len());
        for branch in branches {
            compiled.push(match want {
                Some(want) if !can_be(branch, want.shape) => vec![Step::Mismatch { name: want.name }],
                _ => self.value(branch, want, program, depth + 1)?,
            });
        }
        let null = branches.iter().position(|branch| **branch == Schema::Null);
        Ok(match (null, compiled.len()) {
            (Some(null), 2) => Step::Nullable { some: 1 - null as i64, steps: compiled.swap_remove(1 - null) },
            _ => Step::Union(compiled),
        })
    }

    fn record(
        &mut self,
        fields: &[(String, std::rc::Rc<Schema>)],
        wanted: &'static [Field],
        first_slot: Slot,
        program: &mut Program,
        depth: usize,
    ) -> Result<Vec<Step>> {
        if let Some(missing) =
            wanted.iter().find(|want| want.required && !fields.iter().any(|(name, _)| name == want.name))
        {
            return Err(Error::corrupt(format!("expected a field {} in the Avro schema, found none", missing.name)));
        }
        check_names(
            "an Avro schema",
            wanted.iter().map(|want| want.name),
            fields.iter().map(|(name, _)| name.as_str()),
        )?;
        let mut steps = Vec::new();
        for (name, schema) in fields {
            let mut slot = first_slot;
            let mut want = None;
            for field in wanted {
                if field.name == name {
                    want = Some(Want { name: field.name, shape: field.shape, slot });
                }
                slot += field.shape.slots();
            }
            steps.extend(self.value(schema, want, program, depth + 1)?);
        }
        Ok(steps)
    }
}

/// Names the slots of what is wanted, and notes which are required.
fn declare(want: Want, required: bool, program: &mut Program) {
    match want.shape {
        Shape::Record(fields) => {
            let mut slot = want.slot;
            for field in fields {
                declare(Want { name: field.name, shape: field.shape, slot }, required && field.required, program);
                slot += field.shape.slots();
            }
        }
        _ => {
            program.names[want.slot] = want.name;
            program.required |= u32::from(required) << want.slot;
        }
    }
}

/// Whether a branch of a union can be read as what is wanted; null can be left out.
fn can_be(schema: &Schema, shape: Shape) -> bool {
    matches!(
        (schema, shape),
        (Schema::Null, _)
            | (Schema::Int | Schema::Long, Shape::Number)
            | (Schema::Bytes | Schema::String | Schema::Fixed(_), Shape::Bytes)
            | (Schema::Array(_), Shape::Array(_))
            | (Schema::Record(_), Shape::Record(_))
    )
}

#[cold]
fn mismatch(name: &str) -> Error {
    Error::corrupt(format!("expected another Avro type for {name}"))
}

#[cold]
fn bad_branch(branch: i64, branches: usize) -> Error {
    Error::corrupt(format!("expected a branch of an Avro union of {branches}, found number {branch}"))
}

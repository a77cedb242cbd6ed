//! References to blobs, as columns.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, Int64Array, Int64Builder, LargeBinaryArray, LargeBinaryBuilder, LargeStringArray,
        LargeStringBuilder, StructArray,
    },
    buffer::NullBuffer,
    compute::cast,
    datatypes::{DataType, Field, Fields, Int64Type},
};
use paimon_spec::{Error, Result};

use crate::BlobDescriptor;

/// Where blobs lie, column-wise: a URL, the first byte, and how many bytes.
///
/// A row may be null: there is no blob. A blob of no bytes is a row whose size is 0. Positions and sizes are checked
/// when the references are made, against nothing but themselves: whether the object has such bytes, and whether it may be
/// read, is found out by whoever opens it.
#[derive(Debug, Clone)]
pub struct BlobReferences {
    urls: LargeStringArray,
    /// Null: from the first byte.
    positions: Int64Array,
    /// Null: to the last byte.
    sizes: Int64Array,
    nulls: Option<NullBuffer>,
}

/// Where one blob lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlobReference<'a> {
    /// The URL of the object, literally.
    pub url: &'a str,
    /// The first byte.
    pub position: u64,
    /// How many bytes; `None`: all up to the object's end.
    pub size: Option<u64>,
}

impl BlobReferences {
    /// Of a column of serialised descriptors. Null values stay null.
    ///
    /// # Errors
    /// As [`BlobDescriptor::decode`], with the row.
    pub fn from_descriptors(descriptors: &LargeBinaryArray) -> Result<Self> {
        let rows = descriptors.len();
        let mut urls = LargeStringBuilder::with_capacity(rows, descriptors.value_data().len());
        let mut positions = Int64Builder::with_capacity(rows);
        let mut sizes = Int64Builder::with_capacity(rows);
        for (row, bytes) in descriptors.iter().enumerate() {
            let descriptor = match bytes {
                Some(bytes) => Some(BlobDescriptor::decode(bytes).map_err(|error| error.with_context("row", row))?),
                None => None,
            };
            urls.append_option(descriptor.map(|descriptor| descriptor.uri));
            positions.append_option(descriptor.map(|descriptor| descriptor.offset.cast_signed()));
            sizes.append_option(descriptor.and_then(|descriptor| descriptor.length).map(u64::cast_signed));
        }
        let nulls = descriptors.nulls().cloned();
        Ok(Self { urls: urls.finish(), positions: positions.finish(), sizes: sizes.finish(), nulls })
    }

    /// Of a column of Daft's `File` values: a struct of `url`, `position` and `size` (`offset` and `length` before Daft
    /// 0.7.15); its other fields, such as `io_config`, are passed over. A null struct is a null, and so is one without a
    /// URL; no size, or a negative one, is everything up to the end.
    ///
    /// # Errors
    /// `InvalidInput` when the column is no such struct, or a position is negative.
    pub fn from_files(files: &StructArray) -> Result<Self> {
        let column = |names: [&str; 2], wanted: DataType| {
            let found = names.iter().find_map(|name| files.column_by_name(name));
            found.and_then(|column| cast(column, &wanted).ok()).ok_or_else(|| {
                let fields: Vec<&str> = files.fields().iter().map(|field| field.name().as_str()).collect();
                Error::invalid(format!(
                    "expected File values, a struct of url, position and size, found a struct of {}",
                    fields.join(", ")
                ))
            })
        };
        let urls = column(["url", "url"], DataType::LargeUtf8)?.as_string::<i64>().clone();
        let positions = column(["position", "offset"], DataType::Int64)?.as_primitive::<Int64Type>().clone();
        let sizes = column(["size", "length"], DataType::Int64)?.as_primitive::<Int64Type>().clone();
        let nulls = NullBuffer::union(files.nulls(), urls.nulls());
        let references = Self { urls, positions, sizes, nulls };
        for (row, position) in references.positions.iter().enumerate() {
            if let Some(position @ ..0) = position.filter(|_| !references.is_null(row)) {
                let message = format!("expected a position of 0 or more, found {position}");
                return Err(Error::invalid(message).with_context("row", row));
            }
        }
        Ok(references)
    }

    /// Of a column of descriptors, as any binary type, or of File values.
    ///
    /// # Errors
    /// `InvalidInput` for another type, else as [`Self::from_descriptors`] and [`Self::from_files`].
    pub fn from_array(array: &dyn Array) -> Result<Self> {
        match array.data_type() {
            DataType::LargeBinary => Self::from_descriptors(array.as_binary::<i64>()),
            DataType::Binary | DataType::BinaryView => {
                let wide = cast(array, &DataType::LargeBinary);
                Self::from_descriptors(wide.map_err(|error| Error::internal("paimon-blob", error))?.as_binary::<i64>())
            }
            DataType::Struct(_) => Self::from_files(array.as_struct()),
            other => {
                Err(Error::invalid(format!("expected a column of File values or of blob descriptors, found {other}")))
            }
        }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.urls.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.urls.is_empty()
    }

    /// Which rows have a blob; `None`: all.
    pub fn nulls(&self) -> Option<&NullBuffer> {
        self.nulls.as_ref()
    }

    /// Whether a row has no blob.
    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// Where the blob of a row lies; `None` when it has none.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn get(&self, row: usize) -> Option<BlobReference<'_>> {
        let number = |numbers: &Int64Array| {
            numbers.is_valid(row).then(|| numbers.value(row)).and_then(|number| u64::try_from(number).ok())
        };
        (!self.is_null(row)).then(|| BlobReference {
            url: self.urls.value(row),
            position: number(&self.positions).unwrap_or(0),
            size: number(&self.sizes),
        })
    }

    /// Row by row, as [`Self::get`].
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<BlobReference<'_>>> {
        (0..self.len()).map(|row| self.get(row))
    }

    /// The rows of a range, without copying.
    ///
    /// # Panics
    /// When there are no such rows.
    #[must_use]
    pub fn slice(&self, offset: usize, length: usize) -> Self {
        Self {
            urls: self.urls.slice(offset, length),
            positions: self.positions.slice(offset, length),
            sizes: self.sizes.slice(offset, length),
            nulls: self.nulls.as_ref().map(|nulls| nulls.slice(offset, length)),
        }
    }

    /// As serialised descriptors, in the form that Java and pypaimon read.
    pub fn to_descriptors(&self) -> LargeBinaryArray {
        let fixed = self.len() * BlobDescriptor { uri: "", offset: 0, length: None }.encoded_len();
        let mut descriptors = LargeBinaryBuilder::with_capacity(self.len(), fixed + self.urls.value_data().len());
        let mut bytes = Vec::new();
        for reference in self.iter() {
            let Some(BlobReference { url, position, size }) = reference else {
                descriptors.append_null();
                continue;
            };
            bytes.clear();
            BlobDescriptor { uri: url, offset: position, length: size }.encode_into(&mut bytes);
            descriptors.append_value(&bytes);
        }
        descriptors.finish()
    }

    /// The fields of Daft's `File` values: `url`, `io_config`, `position`, `size`.
    pub fn file_fields() -> Fields {
        Fields::from(vec![
            Field::new("url", DataType::LargeUtf8, true),
            Field::new("io_config", DataType::LargeBinary, true),
            Field::new("position", DataType::Int64, true),
            Field::new("size", DataType::Int64, true),
        ])
    }

    /// As Daft's `File` values. `io_config` says how Daft opens them, in its own serialised form; each value gets a copy.
    pub fn to_files(&self, io_config: Option<&[u8]>) -> StructArray {
        let configs: ArrayRef = match io_config {
            None => Arc::new(LargeBinaryArray::new_null(self.len())),
            Some(config) => {
                let mut configs = LargeBinaryBuilder::with_capacity(self.len(), self.len() * config.len());
                (0..self.len()).for_each(|row| configs.append_option((!self.is_null(row)).then_some(config)));
                Arc::new(configs.finish())
            }
        };
        let columns: Vec<ArrayRef> =
            vec![Arc::new(self.urls.clone()), configs, Arc::new(self.positions.clone()), Arc::new(self.sizes.clone())];
        StructArray::new(Self::file_fields(), columns, self.nulls.clone())
    }
}

impl<'a> FromIterator<Option<BlobReference<'a>>> for BlobReferences {
    fn from_iter<I: IntoIterator<Item = Option<BlobReference<'a>>>>(references: I) -> Self {
        let (mut urls, mut positions, mut sizes) =
            (LargeStringBuilder::new(), Int64Builder::new(), Int64Builder::new());
        for reference in references {
            urls.append_option(reference.map(|blob| blob.url));
            positions.append_option(reference.map(|blob| blob.position.cast_signed()));
            sizes.append_option(reference.and_then(|blob| blob.size).map(u64::cast_signed));
        }
        let urls = urls.finish();
        let nulls = urls.nulls().cloned();
        Self { urls, positions: positions.finish(), sizes: sizes.finish(), nulls }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{BinaryArray, StringArray};
    use paimon_spec::ErrorKind;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    type Row = Option<(String, u64, Option<u64>)>;

    fn descriptors(rows: &[Row]) -> LargeBinaryArray {
        let encode = |row: &Row| {
            let (uri, offset, length) = row.as_ref()?;
            Some(BlobDescriptor { uri, offset: *offset, length: *length }.encode())
        };
        LargeBinaryArray::from_iter(rows.iter().map(encode))
    }

    fn rows(references: &BlobReferences) -> Vec<Row> {
        references.iter().map(|row| row.map(|blob| (blob.url.to_owned(), blob.position, blob.size))).collect()
    }

    fn files(
        names: [&str; 3],
        urls: Vec<Option<&str>>,
        positions: Vec<Option<i64>>,
        sizes: Vec<Option<i64>>,
    ) -> StructArray {
        let columns: [ArrayRef; 3] = [
            Arc::new(StringArray::from(urls)),
            Arc::new(Int64Array::from(positions)),
            Arc::new(Int64Array::from(sizes)),
        ];
        let fields =
            names.iter().zip(&columns).map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
        StructArray::new(fields.collect(), columns.to_vec(), None)
    }

    #[rstest]
    #[case::of_today(["url", "position", "size"])]
    #[case::of_older_daft(["url", "offset", "length"])]
    fn files_of_every_daft_are_understood(#[case] names: [&str; 3]) {
        let urls = vec![Some("a"), None, Some("b"), Some("c"), Some("d")];
        let positions = vec![Some(4), None, None, Some(0), Some(7)];
        let sizes = vec![Some(5), None, None, Some(0), Some(-1)];
        let references = BlobReferences::from_array(&files(names, urls, positions, sizes)).unwrap();
        let row = |url: &str, position, size| Some((url.to_owned(), position, size));
        let whole = row("b", 0, None);
        assert_eq!(rows(&references), [row("a", 4, Some(5)), None, whole, row("c", 0, Some(0)), row("d", 7, None)]);
    }

    #[test]
    fn a_null_struct_is_a_null_whatever_is_in_it() {
        let files = files(["url", "position", "size"], vec![Some("a"); 2], vec![Some(-1), Some(1)], vec![Some(2); 2]);
        let (fields, columns, _) = files.into_parts();
        let files = StructArray::new(fields, columns, Some(NullBuffer::from(vec![false, true])));
        assert_eq!(rows(&BlobReferences::from_files(&files).unwrap()), [None, Some(("a".to_owned(), 1, Some(2)))]);
    }

    #[rstest]
    #[case::a_text(Arc::new(StringArray::from(vec!["a"])), "found Utf8")]
    #[case::another_struct(Arc::new(files(["url", "from", "to"], vec![None], vec![None], vec![None])), "url, from, to")]
    #[case::a_negative_position(Arc::new(files(["url", "position", "size"], vec![Some("a")], vec![Some(-4)], vec![None])), "-4\n  row: 0")]
    fn what_is_no_file_is_refused(#[case] array: ArrayRef, #[case] text: &str) {
        let error = BlobReferences::from_array(&array).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(text), "{error}");
    }

    #[test]
    fn a_damaged_descriptor_names_its_row() {
        let good = BlobDescriptor { uri: "a", offset: 0, length: None }.encode();
        let column = BinaryArray::from_opt_vec(vec![None, Some(good.as_slice()), Some(b"\x02CSEDBOLB")]);
        let error = BlobReferences::from_array(&column).unwrap_err();
        assert_eq!((error.kind(), error.context("row")), (ErrorKind::CorruptData, Some("2")));
    }

    proptest! {
        #[test]
        fn descriptors_files_and_slices_keep_what_they_say(
            given in proptest::collection::vec(
                proptest::option::of((".{0,5}", 0..=i64::MAX as u64, proptest::option::of(0..=i64::MAX as u64))), 0..20),
            cut in 0usize..20,
            config in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..4)),
        ) {
            let references = BlobReferences::from_descriptors(&descriptors(&given)).unwrap();
            prop_assert_eq!(rows(&references), given.clone());
            prop_assert_eq!(references.to_descriptors(), descriptors(&given));
            let files = references.to_files(config.as_deref());
            let configs = files.column(1).as_binary::<i64>();
            for (row, given) in given.iter().enumerate() {
                prop_assert_eq!(files.is_null(row), given.is_none());
                let expected = given.as_ref().and(config.as_deref());
                prop_assert_eq!(configs.is_valid(row).then(|| configs.value(row)), expected);
            }
            prop_assert_eq!(rows(&BlobReferences::from_files(&files).unwrap()), given.clone());
            let cut = cut.min(given.len());
            let tail = references.slice(cut, given.len() - cut);
            prop_assert_eq!(rows(&tail), given[cut..].to_vec());
            prop_assert_eq!(tail.to_descriptors(), descriptors(&given[cut..]));
        }
    }
}

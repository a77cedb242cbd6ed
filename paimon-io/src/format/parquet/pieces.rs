//! Row groups cut into pieces, so that not all of their pages are in memory at the same time.

use parquet::{
    arrow::arrow_reader::{RowSelection, RowSelector},
    file::metadata::ParquetMetaData,
};

/// Rows of a row group (`rows`: all where absent) as pieces whose pages take about `most` bytes, compressed. Pages are cut
/// out along the column that takes most of them; those of other columns may be fetched for two pieces. Without an index of
/// its pages a row group stays whole.
pub(super) fn cut(
    metadata: &ParquetMetaData,
    group: usize,
    rows: Option<RowSelection>,
    roots: &[usize],
    most: u64,
) -> Vec<Option<RowSelection>> {
    let borders = borders(metadata, group, roots, most).unwrap_or_default();
    if borders.is_empty() {
        return vec![rows];
    }
    let all = metadata.row_group(group).num_rows().max(0) as usize;
    let mut rest = rows.unwrap_or_else(|| vec![RowSelector::select(all)].into());
    let (mut pieces, mut start) = (Vec::with_capacity(borders.len() + 1), 0);
    for end in borders.into_iter().chain([all]) {
        let piece = rest.split_off(end - start);
        if piece.selects_any() {
            let mut selectors = vec![RowSelector::skip(start)];
            selectors.extend(piece.iter().copied());
            selectors.push(RowSelector::skip(all - end));
            pieces.push(Some(RowSelection::from(selectors)));
        }
        start = end;
    }
    pieces
}

/// The rows at which pieces after the first begin, ascending; `None` where the file does not tell them.
fn borders(metadata: &ParquetMetaData, group: usize, roots: &[usize], most: u64) -> Option<Vec<usize>> {
    let row_group = metadata.row_groups().get(group)?;
    let schema = metadata.file_metadata().schema_descr();
    let size = |leaf: usize| row_group.columns().get(leaf).map_or(0, |chunk| chunk.compressed_size().max(0) as u64);
    let leaves = || (0..row_group.num_columns()).filter(|leaf| roots.contains(&schema.get_column_root_idx(*leaf)));
    let total = leaves().map(size).fold(0, u64::saturating_add);
    if total <= most {
        return None;
    }
    let largest = leaves().max_by_key(|leaf| size(*leaf))?;
    let index = metadata.offset_index()?.get(group)?;
    if leaves().any(|leaf| index.get(leaf).is_none_or(|pages| pages.page_locations().is_empty())) {
        return None;
    }
    let share = u128::from(most) * u128::from(size(largest)) / u128::from(total);
    let rows = usize::try_from(row_group.num_rows()).ok()?;
    let (mut borders, mut bytes, mut last) = (Vec::new(), 0, 0);
    for page in index.get(largest)?.page_locations() {
        let first = usize::try_from(page.first_row_index).ok().filter(|first| (last..=rows).contains(first))?;
        let page_bytes = u128::from(page.compressed_page_size.max(0).unsigned_abs());
        if bytes > 0 && bytes + page_bytes > share && first > last && first < rows {
            borders.push(first);
            (bytes, last) = (0, first);
        }
        bytes += page_bytes;
    }
    Some(borders)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, RecordBatch, StringArray};
    use bytes::Bytes;
    use parquet::{
        arrow::ArrowWriter,
        file::{
            metadata::{PageIndexPolicy, ParquetMetaDataReader},
            properties::WriterProperties,
        },
    };
    use rstest::rstest;

    use super::*;

    const ROWS: usize = 1000;

    /// One row group of pages of ten rows, in a column of numbers and one of texts.
    fn metadata(index: PageIndexPolicy) -> ParquetMetaData {
        let columns = [
            ("n", Arc::new(Int64Array::from_iter_values(0..ROWS as i64)) as _),
            ("t", Arc::new(StringArray::from_iter_values((0..ROWS).map(|row| format!("{row:030}")))) as _),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_data_page_row_count_limit(10)
            .set_write_batch_size(10)
            .build();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        ParquetMetaDataReader::new().with_page_index_policy(index).parse_and_finish(&Bytes::from(bytes)).unwrap()
    }

    fn rows(selection: &RowSelection) -> Vec<usize> {
        let mut rows = Vec::new();
        let mut next = 0;
        for selector in selection.iter() {
            if !selector.skip {
                rows.extend(next..next + selector.row_count);
            }
            next += selector.row_count;
        }
        assert_eq!(next, ROWS, "a piece speaks of all rows of its row group");
        rows
    }

    /// Bytes of the pages that hold these rows.
    fn bytes(metadata: &ParquetMetaData, rows: &[usize]) -> u64 {
        let columns = metadata.offset_index().unwrap()[0].iter();
        let pages = columns.flat_map(|column| column.page_locations());
        let held = pages.filter(|page| rows.iter().any(|row| row / 10 * 10 == page.first_row_index as usize));
        held.map(|page| page.compressed_page_size as u64).sum()
    }

    #[rstest]
    #[case::of_a_page(600)]
    #[case::of_some(6_000)]
    #[case::of_the_larger_part(40_000)]
    fn pieces_take_as_much_as_they_may_and_have_each_row_once(#[case] most: u64) {
        let metadata = metadata(PageIndexPolicy::Required);
        let pieces = cut(&metadata, 0, None, &[0, 1], most);
        let pieces: Vec<_> = pieces.iter().map(|piece| rows(piece.as_ref().unwrap())).collect();
        assert_eq!(pieces.concat(), (0..ROWS).collect::<Vec<_>>());
        assert!(pieces.iter().all(|piece| piece[0].is_multiple_of(10)), "pieces begin where pages do");
        let sizes: Vec<_> = pieces.iter().map(|piece| bytes(&metadata, piece)).collect();
        let of_a_page = bytes(&metadata, &[0]);
        assert!(sizes.iter().all(|size| *size <= most.max(of_a_page) + 100), "{sizes:?}");
        assert!(sizes.split_last().unwrap().1.iter().all(|size| *size + of_a_page + 100 > most), "{sizes:?}");

        let wanted: Vec<_> = (0..ROWS).filter(|row| row % 7 == 0 && !(300..800).contains(row)).collect();
        let some = RowSelection::from_consecutive_ranges(wanted.iter().map(|row| *row..*row + 1), ROWS);
        let pieces = cut(&metadata, 0, Some(some), &[0, 1], most);
        assert_eq!(pieces.iter().flat_map(|piece| rows(piece.as_ref().unwrap())).collect::<Vec<_>>(), wanted);
    }

    #[rstest]
    #[case::there_is_room(PageIndexPolicy::Required, 1 << 20)]
    #[case::pages_are_not_known(PageIndexPolicy::Skip, 400)]
    fn a_row_group_stays_whole_where(#[case] index: PageIndexPolicy, #[case] most: u64) {
        assert_eq!(cut(&metadata(index), 0, None, &[0, 1], most), [None]);
    }
}

//! Encodings, with the examples of the specification; compression; and time.

use arrow::datatypes::TimeUnit;
use bytes::Bytes;
use paimon_spec::ErrorKind;
use proptest::prelude::*;
use rstest::rstest;

use super::super::{
    codec::Codec,
    encode::packed,
    input::Input,
    rle::{Bits, ByteRuns, Integers, Version},
    timestamp::{Reading, pack},
    zone::Zone,
};

#[rstest]
#[case::run(&[0x61, 0x00], &[0; 100])]
#[case::literals(&[0xfe, 0x44, 0x45], &[0x44, 0x45])]
fn bytes_are_decoded(#[case] encoded: &'static [u8], #[case] expected: &[u8]) {
    let mut runs = ByteRuns::new(Input::new(Bytes::from_static(encoded), None));
    assert_eq!(runs.read(expected.len()).unwrap(), expected);
    assert_eq!(runs.read(1).unwrap_err().kind(), ErrorKind::CorruptData);
}

#[test]
fn bits_are_decoded_in_any_steps() {
    // A run of four bytes of ones, then 1000_0000 and 0111_1110.
    let encoded = Bytes::from_static(&[0x01, 0xff, 0xfe, 0x80, 0x7e]);
    let expected: Vec<bool> = [vec![true; 32], vec![true], vec![false; 8], vec![true; 6], vec![false]].concat();
    for step in [1, 3, 8, 11, 48] {
        let mut bits = Bits::new(Input::new(encoded.clone(), None));
        let mut found = Vec::new();
        while found.len() < expected.len() {
            found.extend(bits.read(step.min(expected.len() - found.len())).unwrap().iter());
        }
        assert_eq!(found, expected, "in steps of {step}");
        assert!(bits.read(1).is_err());
    }
}

#[rstest]
#[case::first_of_equal(Version::V1, false, &[0x61, 0x00, 0x07], &[7; 100])]
#[case::first_of_descending(Version::V1, false, &[0x61, 0xff, 0x64], &Vec::from_iter((1..=100).rev()))]
#[case::first_of_literals(Version::V1, false, &[0xfb, 0x02, 0x03, 0x06, 0x07, 0x0b], &[2, 3, 6, 7, 11])]
#[case::first_of_signed(Version::V1, true, &[0xfd, 0x01, 0x02, 0x80, 0x01], &[-1, 1, 64])]
#[case::short_repeat(Version::V2, false, &[0x0a, 0x27, 0x10], &[10_000; 5])]
#[case::direct(
    Version::V2, false,
    &[0x5e, 0x03, 0x5c, 0xa1, 0xab, 0x1e, 0xde, 0xad, 0xbe, 0xef], &[23_713, 43_806, 57_005, 48_879]
)]
#[case::patched_base(
    Version::V2, false,
    &[0x8e, 0x13, 0x2b, 0x21, 0x07, 0xd0, 0x1e, 0x00, 0x14, 0x70, 0x28, 0x32, 0x3c, 0x46, 0x50, 0x5a, 0x64, 0x6e,
      0x78, 0x82, 0x8c, 0x96, 0xa0, 0xaa, 0xb4, 0xbe, 0xfc, 0xe8],
    &[2030, 2000, 2020, 1_000_000, 2040, 2050, 2060, 2070, 2080, 2090, 2100, 2110, 2120, 2130, 2140, 2150, 2160,
      2170, 2180, 2190]
)]
#[case::delta(
    Version::V2, false,
    &[0xc6, 0x09, 0x02, 0x02, 0x22, 0x42, 0x42, 0x46], &[2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
)]
#[case::fixed_delta(Version::V2, true, &[0xc0, 0x03, 0x14, 0x03], &[10, 8, 6, 4])]
#[case::delta_of_one(Version::V2, true, &[0xc6, 0x00, 0x14, 0x03], &[10])]
fn integers_are_decoded(
    #[case] version: Version,
    #[case] signed: bool,
    #[case] encoded: &'static [u8],
    #[case] expected: &[i64],
) {
    let input = Input::new(Bytes::from_static(encoded), None);
    let mut integers = Integers::new(input.clone(), version, signed);
    assert_eq!(integers.read(expected.len()).unwrap(), expected);
    assert_eq!(integers.read(1).unwrap_err().kind(), ErrorKind::CorruptData);
    let mut integers = Integers::new(input, version, signed);
    assert_eq!(integers.read(1).unwrap(), expected[..1]);
    assert_eq!(integers.clone().read(expected.len() - 1).unwrap(), expected[1..]);
    for cut in 0..encoded.len() {
        let input = Input::new(Bytes::from_static(&encoded[..cut]), None);
        let found = Integers::new(input, version, signed).read(expected.len());
        assert_eq!(found.unwrap_err().kind(), ErrorKind::CorruptData, "{cut} bytes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_decoded_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..200), first: bool, signed: bool, count in 0usize..5000,
    ) {
        let input = || Input::new(Bytes::from(bytes.clone()), None);
        let version = if first { Version::V1 } else { Version::V2 };
        if let Ok(values) = Integers::new(input(), version, signed).read(count) {
            prop_assert_eq!(values.len(), count);
        }
        if let Ok(bits) = Bits::new(input()).read(count) {
            prop_assert_eq!(bits.len(), count);
        }
        for kind in 0..7 {
            if let Ok(Some(codec)) = Codec::new(kind, Some(1000)) {
                let unfolded = codec.all_blocks(Bytes::from(bytes.clone()), 10_000);
                prop_assert!(unfolded.is_err() || unfolded.unwrap().len() <= 10_000);
            }
        }
    }
}

/// Integers of all kinds of runs.
fn any_integers() -> impl Strategy<Value = Vec<i64>> {
    let part = prop_oneof![
        (any::<i64>(), 1usize..600).prop_map(|(value, count)| vec![value; count]),
        (any::<i64>(), any::<i64>(), 1usize..600).prop_map(|(first, step, count)| (0..count as i64)
            .map(|i| first.wrapping_add(i.wrapping_mul(step)))
            .collect()),
        (0u32..64, prop::collection::vec(any::<i64>(), 1..600))
            .prop_map(|(shift, values)| values.into_iter().map(|value| value >> shift).collect()),
        prop::collection::vec(prop_oneof![20 => -9i64..9, 1 => any::<i64>()], 1..600),
    ];
    prop::collection::vec(part, 0..4).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn integers_are_encoded_as_they_are_decoded(values in any_integers(), signed: bool) {
        let mut integers = Integers::new(Input::new(packed(&values, signed).into(), None), Version::V2, signed);
        prop_assert_eq!(integers.read(values.len()).unwrap(), values);
        prop_assert!(integers.read(1).is_err());
    }

    #[test]
    fn a_time_is_packed_as_it_is_read(value: i64, unit in 0usize..4) {
        let unit = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond][unit];
        if let Ok((seconds, nanos)) = pack(value, unit) {
            prop_assert_eq!(Reading::wall_clock(Zone::utc(), unit).value(seconds, nanos).unwrap(), value);
        }
    }
}

fn block(original: bool, bytes: &[u8]) -> Vec<u8> {
    let header = (bytes.len() as u32) << 1 | u32::from(original);
    [&header.to_le_bytes()[..3], bytes].concat()
}

#[test]
fn blocks_are_unfolded_up_to_the_size_that_the_file_states() {
    let text = b"abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc".as_slice();
    let mut deflated = Vec::with_capacity(100);
    flate2::Compress::new(flate2::Compression::default(), false)
        .compress_vec(text, &mut deflated, flate2::FlushCompress::Finish)
        .unwrap();
    let compressed = [
        (1, deflated),
        (2, snap::raw::Encoder::new().compress_vec(text).unwrap()),
        (3, lzokay_native::compress(text).unwrap()),
        (4, lz4_flex::block::compress(text)),
        (5, zstd::bulk::compress(text, 1).unwrap()),
    ];
    for (kind, bytes) in compressed {
        let stream = Bytes::from([block(false, &bytes), block(true, b"xyz"), block(false, &bytes)].concat());
        let codec = Codec::new(kind, Some(text.len() as u64)).unwrap().unwrap();
        let expected = [text, b"xyz", text].concat();
        assert_eq!(codec.all_blocks(stream.clone(), 1000).unwrap(), expected, "compression {kind}");
        assert!(codec.all_blocks(stream.clone(), expected.len() - 1).is_err(), "compression {kind}");
        let codec = Codec::new(kind, Some(text.len() as u64 - 1)).unwrap().unwrap();
        assert_eq!(codec.all_blocks(stream, 1000).unwrap_err().kind(), ErrorKind::CorruptData, "compression {kind}");
    }
}

#[test]
fn a_bomb_unfolds_to_no_more_than_its_block() {
    let zeros = vec![0; 64 << 20];
    let mut deflated = Vec::with_capacity(1 << 20);
    flate2::Compress::new(flate2::Compression::best(), false)
        .compress_vec(&zeros, &mut deflated, flate2::FlushCompress::Finish)
        .unwrap();
    for (kind, bomb) in [(1, deflated), (5, zstd::bulk::compress(&zeros, 1).unwrap())] {
        let codec = Codec::new(kind, Some(256 << 10)).unwrap().unwrap();
        let error = codec.all_blocks(Bytes::from(block(false, &bomb)), usize::MAX).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptData);
    }
}

#[rstest]
#[case::no_zone("", 0, 0)]
#[case::universal("UTC", 1_700_000_000, 0)]
#[case::fixed("GMT+08:30", 0, 30_600)]
#[case::fixed_behind("GMT-0130", 0, -5_400)]
#[case::winter("Europe/Berlin", 1_704_067_200, 3_600)]
#[case::summer("Europe/Berlin", 1_720_000_000, 7_200)]
#[case::before_summer_time_starts("Europe/Berlin", 1_711_846_799, 3_600)]
#[case::when_summer_time_starts("Europe/Berlin", 1_711_846_800, 7_200)]
#[case::local_mean_time("Asia/Shanghai", -2_208_988_800, 29_143)]
#[case::java_has_no_older_changes("Asia/Shanghai", -2_208_988_801, 28_800)]
#[case::summer_of_2100("Europe/Berlin", 4_118_119_200, 7_200)]
#[case::winter_of_2100("Europe/Berlin", 4_102_444_800, 3_600)]
#[case::before_summer_time_of_9999("Europe/Berlin", 253_378_198_799, 3_600)]
#[case::summer_time_of_9999("Europe/Berlin", 253_378_198_800, 7_200)]
#[case::far_past("Asia/Shanghai", i64::MIN, 28_800)]
#[case::far_future("Asia/Shanghai", i64::MAX, 28_800)]
fn zones_have_the_offsets_of_java(#[case] name: &str, #[case] seconds: i64, #[case] expected: i64) {
    assert_eq!(Zone::parse(name).unwrap().offset_at(seconds), expected);
}

#[rstest]
#[case("Mars/Olympus")]
#[case("GMT+25")]
#[case("GMT+")]
fn an_unknown_zone_is_named(#[case] name: &str) {
    let error = Zone::parse(name).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains(name));
}

/// 2015-01-01, from which files count.
const EPOCH: i64 = 1_420_070_400;

#[rstest]
#[case::whole_second(1, 0, Ok((EPOCH + 1) * 1_000_000))]
#[case::trailing_zeros(0, 1 << 3 | 7, Ok(EPOCH * 1_000_000 + 100_000))]
#[case::two_zeros(0, 12_340 << 3 | 1, Ok(EPOCH * 1_000_000 + 1234))]
#[case::before_1970_rounded_up(-EPOCH - 1, 5 << 3 | 7, Ok(-1_500_000))]
#[case::before_1970_with_little(-EPOCH - 1, 5 << 3 | 3, Ok(-1_000_000 + 50))]
#[case::year_one(-62_135_596_800 - EPOCH, 0, Ok(-62_135_596_800_000_000))]
#[case::nanoseconds(0, 1 << 3, Err(ErrorKind::CorruptData))]
#[case::more_than_a_second(0, 1_000_000_000 << 3, Err(ErrorKind::CorruptData))]
#[case::negative_nanoseconds(-EPOCH, -5 << 3 | 7, Ok(-500_000))]
#[case::too_negative_nanoseconds(0, i64::MIN, Err(ErrorKind::CorruptData))]
#[case::out_of_range(i64::MAX / 1000, 0, Err(ErrorKind::Unsupported))]
#[case::far_out_of_range(i64::MAX, 0, Err(ErrorKind::CorruptData))]
fn a_timestamp_is_seconds_and_nanoseconds(
    #[case] seconds: i64,
    #[case] nanos: i64,
    #[case] expected: std::result::Result<i64, ErrorKind>,
) {
    let reading = Reading::wall_clock(Zone::utc(), TimeUnit::Microsecond);
    assert_eq!(reading.value(seconds, nanos).map_err(|e| e.kind()), expected);
}

#[test]
fn a_wall_clock_shows_the_writers_time() {
    let berlin = Zone::parse("Europe/Berlin").unwrap();
    let reading = Reading::wall_clock(berlin, TimeUnit::Second);
    assert_eq!(reading.value(0, 0).unwrap(), EPOCH);
    // 2024-07-03 09:46:40 UTC: two hours later by the clock; and seconds count from midnight of Berlin.
    assert_eq!(reading.value(1_720_000_000 - EPOCH + 3_600, 0).unwrap(), 1_720_007_200);
    assert_eq!(Reading::instant(None, TimeUnit::Second).value(7, 0).unwrap(), EPOCH + 7);
    assert_eq!(Reading::instant(Some(berlin), TimeUnit::Second).value(7, 0).unwrap(), EPOCH + 7 + 3_600);
}

use std::collections::BTreeSet;

use paimon_spec::ErrorKind;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn bitmap(numbers: &[u64]) -> Bitmap64 {
    let mut bitmap = Bitmap64::default();
    for number in numbers {
        let single = RoaringBitmap::from_iter([(number & 0xffff) as u32]);
        let mut one = Bitmap64::default();
        one.add(number >> 16, single);
        bitmap = bitmap.union(one).unwrap();
    }
    bitmap
}

fn numbers(bitmap: &Bitmap64) -> BTreeSet<u64> {
    let of_key = |(key, slot): (&u64, &usize)| {
        let key = key << 16;
        bitmap.slots[*slot].iter().flatten().map(move |low| key | u64::from(low)).collect::<Vec<_>>()
    };
    bitmap.by_key.iter().flat_map(of_key).collect()
}

/// Numbers that share more or fewer of their upper bytes, so that trees have all kinds of nodes.
fn any_numbers() -> impl Strategy<Value = Vec<u64>> {
    let number = prop_oneof![
        any::<u64>(),
        (0..300_u64, 0..8_u64).prop_map(|(key, low)| key << 16 | low),
        (0..60_u64, 0..3_u64).prop_map(|(key, low)| key << 40 | 1 << 24 | low),
        0..200_000_u64,
    ];
    vec(number, 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(a in any_numbers(), b in any_numbers()) {
        let union = bitmap(&a).union(bitmap(&b)).unwrap();
        let expected: BTreeSet<u64> = a.iter().chain(&b).copied().collect();
        prop_assert_eq!(&numbers(&union), &expected);
        let read = Bitmap64::read(&union.write().unwrap()).unwrap();
        prop_assert_eq!(&numbers(&read), &expected);
    }

    #[test]
    fn damaged_bytes_are_an_error_or_another_set(a in any_numbers(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = bitmap(&a).write().unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Err(error) = Bitmap64::read(&bytes) {
            prop_assert_eq!(error.kind(), ErrorKind::CorruptData);
        }
        prop_assert!(a.is_empty() || Bitmap64::read(&bytes[..at]).is_err());
    }
}

#[test]
fn dense_numbers_are_bits_or_runs() {
    for numbers in [(0..65_536).collect::<Vec<u64>>(), (0..65_536).step_by(2).collect()] {
        let low: RoaringBitmap = numbers.iter().map(|number| *number as u32).collect();
        let mut bitmap = Bitmap64::default();
        bitmap.add(0, low);
        let read = Bitmap64::read(&bitmap.write().unwrap()).unwrap();
        assert_eq!(self::numbers(&read).into_iter().collect::<Vec<_>>(), numbers);
    }
}

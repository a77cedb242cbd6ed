use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use futures::future::{join_all, ready};
use paimon_spec::ErrorKind;

use super::*;

async fn load(cache: &MetadataCache, name: &str, value: &str, loads: &AtomicUsize) -> Arc<String> {
    let load = async {
        loads.fetch_add(1, Ordering::Relaxed);
        Ok(value.to_owned())
    };
    cache.get_or_load(name, String::len, load).await.unwrap()
}

#[tokio::test]
async fn an_entry_is_loaded_once() {
    let (cache, loads) = (MetadataCache::new(1 << 20), AtomicUsize::new(0));
    assert_eq!(*load(&cache, "a", "first", &loads).await, "first");
    assert_eq!(*load(&cache.clone(), "a", "second", &loads).await, "first");
    assert_eq!(*load(&cache, "b", "other", &loads).await, "other");
    assert_eq!(loads.into_inner(), 2);
}

#[tokio::test]
async fn a_cache_of_no_size_keeps_nothing() {
    let (cache, loads) = (MetadataCache::new(0), AtomicUsize::new(0));
    assert_eq!(*load(&cache, "a", "first", &loads).await, "first");
    assert_eq!(*load(&cache, "a", "second", &loads).await, "second");
}

#[tokio::test]
async fn entries_of_two_types_do_not_meet() {
    let cache = MetadataCache::new(1 << 20);
    let text = cache.get_or_load("a", String::len, async { Ok("text".to_owned()) }).await.unwrap();
    let number = cache.get_or_load("a", |_: &u64| 8, async { Ok(7_u64) }).await.unwrap();
    assert_eq!((text.as_str(), *number), ("text", 7));
}

#[tokio::test]
async fn those_who_come_together_wait_for_one_load() {
    let (cache, loads) = (MetadataCache::new(1 << 20), AtomicUsize::new(0));
    let slow = |_| {
        let (cache, loads) = (&cache, &loads);
        async move {
            let load = async {
                loads.fetch_add(1, Ordering::Relaxed);
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                Ok("value".to_owned())
            };
            cache.get_or_load("a", String::len, load).await.unwrap()
        }
    };
    let values = join_all((0..32).map(slow)).await;
    assert!(values.iter().all(|value| Arc::ptr_eq(value, &values[0])));
    assert_eq!(loads.into_inner(), 1);
}

#[tokio::test]
async fn a_failed_load_is_told_to_all_who_wait_and_not_kept() {
    let cache = MetadataCache::new(1 << 20);
    let cause = || std::io::Error::other("the wire is cut");
    let error =
        || Error::new(ErrorKind::Storage, "no answer").with_context("file", "f").with_source(cause()).retryable();
    let failing = |_| async {
        let load = async {
            tokio::task::yield_now().await;
            Err::<String, _>(error())
        };
        cache.get_or_load("a", String::len, load).await.unwrap_err()
    };
    for seen in join_all((0..8).map(failing)).await {
        assert_eq!((seen.kind(), seen.is_retryable(), seen.context("file")), (ErrorKind::Storage, true, Some("f")));
        assert_eq!(seen.to_string(), error().to_string());
    }
    let now = cache.get_or_load("a", String::len, ready(Ok("value".to_owned()))).await.unwrap();
    assert_eq!(*now, "value");
}

#[tokio::test]
async fn a_load_that_is_given_up_is_taken_over() {
    let cache = MetadataCache::new(1 << 20);
    let stuck = cache.get_or_load("a", String::len, futures::future::pending());
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(5), stuck).await;
    assert!(given_up.is_err());
    let value = cache.get_or_load("a", String::len, ready(Ok("value".to_owned()))).await.unwrap();
    assert_eq!(*value, "value");
}

#[tokio::test]
async fn what_does_not_fit_makes_room() {
    let cache = MetadataCache::new(100_000);
    let loaded = Mutex::new(Vec::new());
    for round in 0..200 {
        let name = format!("entry {round}");
        let load = async {
            loaded.lock().unwrap().push(round);
            Ok(vec![0_u8; 10_000])
        };
        cache.get_or_load(name, Vec::len, load).await.unwrap();
    }
    let Some(entries) = &cache.entries else { panic!("the cache is on") };
    entries.run_pending_tasks().await;
    assert_eq!(loaded.into_inner().unwrap().len(), 200);
    assert!(entries.weighted_size() <= 100_000, "it holds {}", entries.weighted_size());
    assert!(entries.entry_count() >= 5, "it holds {} entries", entries.entry_count());
}

#[tokio::test]
async fn an_entry_larger_than_the_cache_is_given_but_not_kept() {
    let cache = MetadataCache::new(1_000);
    let value = cache.get_or_load("a", Vec::len, async { Ok(vec![0_u8; 5_000]) }).await.unwrap();
    assert_eq!(value.len(), 5_000);
    let Some(entries) = &cache.entries else { panic!("the cache is on") };
    entries.run_pending_tasks().await;
    assert_eq!(entries.entry_count(), 0);
}

//! Every golden table is read as its writer reads it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use conformance::{Case, Expect, Probe, Read, cases, probes};
use paimon_io::TableStore;
use paimon_merge::ReadRequest;
use paimon_scan::{ReadPoint, ScanRequest};
use paimon_spec::{Error, ErrorKind};
use serde_json::Value;

/// All golden tables, or those whose name has the environment variable `GOLDEN` in it.
fn golden_cases() -> Result<Vec<Case>> {
    let cases = cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/read"))?;
    let wanted = std::env::var("GOLDEN").unwrap_or_default();
    let cases: Vec<Case> = cases.into_iter().filter(|case| case.name.contains(&wanted)).collect();
    ensure!(!cases.is_empty(), "there is no golden table");
    Ok(cases)
}

#[test]
fn every_golden_table_is_the_one_that_its_writer_left() {
    let problems: Vec<String> = golden_cases()
        .unwrap()
        .iter()
        .filter_map(|case| case.check_sha256().err().map(|problem| format!("{}: {problem:#}", case.name)))
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test]
async fn every_golden_table_reads_as_its_writer_reads_it() {
    let mut problems = Vec::new();
    for case in &golden_cases().unwrap() {
        let outcome = case.answer(&Read::default()).await;
        let problem = match (&case.expect, outcome) {
            (Expect::Rows(file), Ok(rows)) => difference(&case.expected_rows(file).unwrap(), &rows),
            (Expect::Unsupported(text), Err(error)) if is_unsupported(&error, text) => None,
            (Expect::Rows(_), Err(error)) => Some(format!("{error:#}")),
            (Expect::Unsupported(text), outcome) => {
                Some(format!("an Unsupported error with `{text}` was wanted, {outcome:?} was found"))
            }
        };
        println!("{:48} {:32} {}", case.name, case.writer, problem.as_deref().unwrap_or("ok"));
        problems.extend(problem.map(|problem| format!("{}: {problem}", case.name)));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test]
async fn every_state_and_filter_of_a_golden_table_gives_what_its_writer_read() {
    let mut problems = Vec::new();
    let mut count = 0;
    for case in &golden_cases().unwrap() {
        for read in case.reads().unwrap() {
            count += 1;
            let problem = match (&case.expect, case.answer(&read).await) {
                (Expect::Unsupported(text), Err(error)) if is_unsupported(&error, text) => None,
                (_, Ok(rows)) => difference(&read.expected(), &rows),
                (_, Err(error)) => Some(format!("{error:#}")),
            };
            problems.extend(problem.map(|problem| format!("{}: {read}: {problem}", case.name)));
        }
    }
    println!("{count} reads");
    assert!(problems.is_empty(), "{} of {count} reads:\n{}", problems.len(), problems.join("\n"));
}

#[tokio::test]
async fn no_filter_on_a_keyed_table_brings_an_old_version_of_a_row_back() {
    let mut problems = Vec::new();
    let mut count = 0;
    for case in &golden_cases().unwrap() {
        match probe(case).await {
            Ok((probes, found)) => {
                count += probes;
                problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", case.name)));
            }
            Err(error) => problems.push(format!("{}: {error:#}", case.name)),
        }
    }
    println!("{count} probes");
    assert!(problems.is_empty(), "{} of {count} probes:\n{}", problems.len(), problems.join("\n"));
}

/// How many probes a case gives, and what is wrong.
async fn probe(case: &Case) -> Result<(usize, Vec<String>)> {
    let Expect::Rows(file) = &case.expect else { return Ok((0, Vec::new())) };
    let store = case.table().await?;
    if store.schema().primary_keys.is_empty() {
        return Ok((0, Vec::new()));
    }
    let expected = case.expected_rows(file)?;
    let now = values(&expected)?;
    let ever = [now.clone(), older_rows(case, &store).await?].concat();
    let probes = probes(store.schema(), &now, &ever)?;
    let mut problems = Vec::new();
    for Probe { filter, text, column, rows } in &probes {
        let scan = ScanRequest { predicate: Some(filter.clone()), ..ScanRequest::default() };
        let projection = Some(vec![*column]);
        let request = ReadRequest { projection, predicate: Some(filter.clone()), ..ReadRequest::default() };
        let problem = difference(rows, &case.rows(&store, &scan, &request).await?);
        problems.extend(problem.map(|problem| format!("{text}, column {column}: {problem}")));
    }
    let all = ScanRequest::default();
    let few = ReadRequest { batch_rows: Some(3), ..ReadRequest::default() };
    let problem = difference(&expected, &case.rows(&store, &all, &few).await?);
    problems.extend(problem.map(|problem| format!("in batches of three rows: {problem}")));

    let limit = ReadRequest { limit: Some(2), ..ReadRequest::default() };
    let found = case.rows(&store, &ScanRequest { limit: Some(2), ..all.clone() }, &limit).await?;
    if found.len() < expected.len().min(2) || !found.iter().all(|row| expected.contains(row)) {
        problems.push(format!("under a limit of two rows {found:?}"));
    }
    let none = ReadRequest { projection: Some(Vec::new()), ..ReadRequest::default() };
    let by_reading = case.rows(&store, &all, &none).await?.len();
    let by_metadata = paimon_scan::count_rows(&store, &ReadPoint::Latest, None).await?;
    if by_reading != expected.len() || by_metadata.is_some_and(|count| count != expected.len() as u64) {
        problems.push(format!("{} rows, {by_reading} of no columns, {by_metadata:?} by metadata", expected.len()));
    }
    Ok((probes.len(), problems))
}

/// The rows of every snapshot but the latest, in today's columns.
async fn older_rows(case: &Case, store: &TableStore) -> Result<Vec<Vec<Value>>> {
    let latest = paimon_scan::resolve(store, &ReadPoint::Latest).await?.context("a table without snapshots")?;
    let mut rows = Vec::new();
    for id in 1..latest.id {
        let scan = ScanRequest { at: ReadPoint::Snapshot(id), ..ScanRequest::default() };
        rows.extend(values(&case.rows(store, &scan, &ReadRequest::default()).await?)?);
    }
    Ok(rows)
}

fn values(rows: &[String]) -> Result<Vec<Vec<Value>>> {
    rows.iter().map(|row| serde_json::from_str(row).with_context(|| format!("a row like {row}"))).collect()
}

fn difference(wanted: &[String], found: &[String]) -> Option<String> {
    let missing: Vec<_> = wanted.iter().filter(|row| !found.contains(row)).take(3).collect();
    let surplus: Vec<_> = found.iter().filter(|row| !wanted.contains(row)).take(3).collect();
    (wanted != found).then(|| {
        format!("{} rows wanted, {} found; missing {missing:?}, surplus {surplus:?}", wanted.len(), found.len())
    })
}

fn is_unsupported(error: &anyhow::Error, text: &str) -> bool {
    error
        .downcast_ref::<Error>()
        .is_some_and(|error| error.kind() == ErrorKind::Unsupported && error.to_string().contains(text))
}

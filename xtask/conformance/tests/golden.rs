//! Every golden table is read as its writer reads it.

use std::path::Path;

use anyhow::{Result, ensure};
use conformance::{Case, Expect, cases};
use paimon_spec::ErrorKind;

fn golden_cases() -> Result<Vec<Case>> {
    let cases = cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/read"))?;
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
        let outcome = case.rows().await;
        let problem = match (&case.expect, outcome) {
            (Expect::Rows(file), Ok(rows)) => {
                let expected = case.expected_rows(file).unwrap();
                let first = expected.iter().zip(&rows).find(|(wanted, found)| wanted != found);
                (expected != rows).then(|| {
                    format!("{} rows wanted, {} found; first difference {first:?}", expected.len(), rows.len())
                })
            }
            (Expect::Unsupported(text), Err(error))
                if error.kind() == ErrorKind::Unsupported && error.to_string().contains(text.as_str()) =>
            {
                None
            }
            (Expect::Rows(_), Err(error)) => Some(error.to_string()),
            (Expect::Unsupported(text), outcome) => {
                Some(format!("an Unsupported error with `{text}` was wanted, {outcome:?} was found"))
            }
        };
        println!("{:32} {:32} {}", case.name, case.writer, problem.as_deref().unwrap_or("ok"));
        problems.extend(problem.map(|problem| format!("{}: {problem}", case.name)));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test]
async fn every_state_and_filter_of_a_golden_table_gives_the_keys_that_its_writer_read() {
    let mut problems = Vec::new();
    let mut count = 0;
    for case in &golden_cases().unwrap() {
        for read in case.reads().unwrap() {
            count += 1;
            match case.keys(&read).await {
                Ok(found) if found == read.keys => {}
                outcome => problems.push(format!("{}: {read:?} gave {outcome:?}", case.name)),
            }
        }
    }
    println!("{count} reads");
    assert!(problems.is_empty(), "{} of {count} reads:\n{}", problems.len(), problems.join("\n"));
}

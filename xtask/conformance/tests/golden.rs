//! Every golden table is read as its writer reads it.

use std::path::Path;

use conformance::{Expect, cases};
use paimon_spec::ErrorKind;

#[tokio::test]
async fn every_golden_table_reads_as_its_writer_reads_it() {
    let cases = cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/read")).unwrap();
    assert!(!cases.is_empty(), "there is no golden table");
    let mut problems = Vec::new();
    for case in &cases {
        let outcome = case.read().await;
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
        println!("{:24} {:32} {}", case.name, case.writer, problem.as_deref().unwrap_or("ok"));
        problems.extend(problem.map(|problem| format!("{}: {problem}", case.name)));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

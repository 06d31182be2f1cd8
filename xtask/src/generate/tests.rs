//! Writing and comparing pages in a folder of their own.

use super::{Pages, check_pages, first_difference, with_newline, write_pages};
use crate::report::Report;

fn problems(folder: &std::path::Path, pages: &Pages) -> Vec<String> {
    let mut report = Report::default();
    check_pages(folder, pages, &mut report).unwrap();
    report.problems().to_vec()
}

#[test]
fn written_pages_pass_the_check_and_others_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("reference");
    let page = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let pages = Pages::from([page("api.md", "a\nb\n"), page("json/openapi.json", "{}\n")]);
    let advice = "run `cargo xtask generate` and commit the result";

    let missing = problems(&folder, &pages);
    assert_eq!(missing.len(), 2);
    assert_eq!(missing[0], format!("docs/reference/api.md: page is missing; {advice}"));

    write_pages(&folder, &pages, &mut Report::default()).unwrap();
    std::fs::write(folder.join("quirks.md"), "by hand\n").unwrap();
    assert_eq!(problems(&folder, &pages), Vec::<String>::new());

    std::fs::write(folder.join("api.md"), "a\nc\n").unwrap();
    std::fs::write(folder.join("old.md"), "old\n").unwrap();
    assert_eq!(
        problems(&folder, &pages),
        [
            format!("docs/reference/api.md:2: page is out of date; {advice}"),
            format!(
                "docs/reference/old.md: page is not generated; {advice}, or move it out of \
                 docs/reference"
            ),
        ]
    );

    write_pages(&folder, &pages, &mut Report::default()).unwrap();
    assert_eq!(problems(&folder, &pages), Vec::<String>::new());
    assert!(!folder.join("old.md").exists() && folder.join("quirks.md").exists());
}

#[test]
fn line_of_the_first_difference() {
    assert_eq!(first_difference("a\nb\n", "a\nc\n"), 2);
    assert_eq!(first_difference("a\n", "a\nb\n"), 2);
    assert_eq!(first_difference("", "a"), 1);
}

#[test]
fn pages_end_in_one_line_end() {
    assert_eq!(with_newline("a".into()), "a\n");
    assert_eq!(with_newline("a\n\n".into()), "a\n");
}

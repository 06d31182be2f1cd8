//! The pages under `docs/reference`: written from the operation table, and compared with it.
//!
//! What the pages say comes from `bulkhead_api::reference_docs`; this module only knows where they
//! go. They are committed, so that a change of the contract shows in review and a reader needs no
//! build. To add a page, add it there and run `cargo xtask generate`.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::repo::Repo;
use crate::report::Report;

/// Folder of the generated pages.
const FOLDER: &str = "docs/reference";

/// Pages in that folder that people write.
const HAND_WRITTEN: &[&str] = &["README.md", "quirks.md", "sdk-mapping.md"];

/// Pages by their path under the folder.
type Pages = BTreeMap<String, String>;

/// Why the pages could not be written or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GenerateError {
    #[error("cannot write `{path}`")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("cannot read `{path}`")]
    Read { path: PathBuf, source: std::io::Error },
}

/// Writes every page that differs, and removes pages that are generated no more.
pub(crate) fn write(repo: &Repo, report: &mut Report) -> Result<(), GenerateError> {
    write_pages(&repo.root().join(FOLDER), &pages(), report)
}

/// Compares the committed pages with what would be written, changing nothing.
pub(crate) fn check(repo: &Repo, report: &mut Report) -> Result<(), GenerateError> {
    check_pages(&repo.root().join(FOLDER), &pages(), report)
}

/// The pages as they should be.
fn pages() -> Pages {
    let docs = bulkhead_api::reference_docs().into_iter();
    docs.map(|(path, text)| (path.to_owned(), with_newline(text))).collect()
}

/// The text ending in exactly one line end, as `tidy` wants it.
fn with_newline(mut text: String) -> String {
    text.truncate(text.trim_end_matches('\n').len());
    text.push('\n');
    text
}

fn write_pages(folder: &Path, pages: &Pages, report: &mut Report) -> Result<(), GenerateError> {
    let committed = read_pages(folder)?;
    let mut changed = 0;
    for (name, text) in pages.iter().filter(|(name, text)| committed.get(*name) != Some(text)) {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|source| GenerateError::Write { path: path.clone(), source })?;
        changed += 1;
        report.note(format!("wrote {FOLDER}/{name}"));
    }
    for name in committed.keys().filter(|name| !pages.contains_key(*name)) {
        let path = folder.join(name);
        std::fs::remove_file(&path)
            .map_err(|source| GenerateError::Write { path: path.clone(), source })?;
        report.note(format!("removed {FOLDER}/{name}, which is generated no more"));
    }
    report.note(format!("{} pages, {changed} of them changed", pages.len()));
    Ok(())
}

fn check_pages(folder: &Path, pages: &Pages, report: &mut Report) -> Result<(), GenerateError> {
    const DO: &str = "run `cargo xtask generate` and commit the result";
    let committed = read_pages(folder)?;
    for (name, text) in pages {
        let place = format!("{FOLDER}/{name}");
        match committed.get(name) {
            None => report.problem(place, format!("page is missing; {DO}")),
            Some(old) if old != text => {
                let line = first_difference(old, text);
                report.problem(format!("{place}:{line}"), format!("page is out of date; {DO}"));
            }
            Some(_) => {}
        }
    }
    for name in committed.keys().filter(|name| !pages.contains_key(*name)) {
        report.problem(
            format!("{FOLDER}/{name}"),
            format!("page is not generated; {DO}, or move it out of {FOLDER}"),
        );
    }
    report.note(format!("{} generated pages compared", pages.len()));
    Ok(())
}

/// Number of the first line in which two texts differ, from 1.
fn first_difference(old: &str, new: &str) -> usize {
    1 + old.split('\n').zip(new.split('\n')).take_while(|(a, b)| a == b).count()
}

/// The pages in the folder that are not written by hand.
fn read_pages(folder: &Path) -> Result<Pages, GenerateError> {
    let mut pages = Pages::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(path) = folders.pop() {
        let failed = |source| GenerateError::Read { path: path.clone(), source };
        if !path.exists() {
            continue;
        }
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let relative = path.strip_prefix(folder).unwrap_or(&path);
            let name = relative.to_string_lossy().replace('\\', "/");
            if !HAND_WRITTEN.contains(&name.as_str()) {
                let text = std::fs::read_to_string(&path)
                    .map_err(|source| GenerateError::Read { path: path.clone(), source })?;
                pages.insert(name, text);
            }
        }
    }
    Ok(pages)
}

//! Migrations are numbered without gaps, and never change once released.

use crate::repo::{Repo, RepoError};
use crate::report::Report;

/// Folder of the migrations; each is a file or folder called `NNNN_short_name`.
const FOLDER: &str = "crates/store/migrations/";

/// Checks the numbering, and compares with the last release when there is one.
pub(super) fn check(repo: &Repo, files: &[String], report: &mut Report) -> Result<(), RepoError> {
    check_numbers(files, report);
    // `git tag` rather than `git describe`, which fails in a checkout without tags.
    let tags = repo.git(&["tag", "--list", "v*", "--merged", "HEAD", "--sort=-version:refname"])?;
    if let Some(release) = tags.lines().next() {
        let listed = repo.git(&["ls-tree", "-r", "--name-only", release, "--", FOLDER])?;
        for path in listed.lines() {
            let spec = format!("{release}:{path}");
            let released = repo.git(&["show", &spec])?;
            let now = if files.iter().any(|f| f == path) { repo.text(path)? } else { None };
            check_released(path, release, &released, now.as_deref(), report);
        }
    }
    Ok(())
}

/// A released migration must still be there, byte for byte.
pub(super) fn check_released(
    path: &str,
    release: &str,
    released: &str,
    now: Option<&str>,
    report: &mut Report,
) {
    if now != Some(released) {
        report.problem(
            path,
            format!("migration of release {release} was changed; restore it and add a new one"),
        );
    }
}

/// Numbers must run from 0001 upwards, each used once.
pub(super) fn check_numbers(files: &[String], report: &mut Report) {
    let mut names: Vec<&str> = files
        .iter()
        .filter_map(|path| path.strip_prefix(FOLDER))
        .filter_map(|rest| rest.split('/').next())
        .filter(|name| name.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    names.dedup();
    for (index, name) in names.iter().enumerate() {
        let wanted = format!("{:04}_", index + 1);
        if !name.starts_with(&wanted) {
            report.problem(
                format!("{FOLDER}{name}"),
                format!("migration out of sequence; its name should start with `{wanted}`"),
            );
            return;
        }
    }
}

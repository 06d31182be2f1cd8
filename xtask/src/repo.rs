//! Where the repository is and which files belong to it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The checkout that the commands work on.
#[derive(Debug)]
pub(crate) struct Repo {
    root: PathBuf,
}

/// Why the repository could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RepoError {
    #[error("the folder of the workspace could not be found; run this through `cargo xtask`")]
    NoRoot,
    #[error("`git {arguments}` could not be started; install git")]
    GitMissing { arguments: String, source: std::io::Error },
    #[error("`git {arguments}` failed; run this inside a git checkout: {message}")]
    Git { arguments: String, message: String },
    #[error("cannot read `{path}`")]
    Read { path: PathBuf, source: std::io::Error },
}

impl Repo {
    /// The checkout that this program was built from.
    pub(crate) fn find() -> Result<Self, RepoError> {
        // Cargo sets the variable for `cargo run`; the compiled-in value serves a bare binary.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().ok_or(RepoError::NoRoot)?;
        Ok(Self::at(root))
    }

    /// A checkout at a given folder.
    pub(crate) fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder that holds the workspace's `Cargo.toml`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Files that are, or would be, committed: tracked ones and new ones that are not ignored.
    ///
    /// Paths are relative to the root, with `/`, sorted. Deleted files are left out.
    pub(crate) fn files(&self) -> Result<Vec<String>, RepoError> {
        let listed = self.git(&["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
        let mut files: Vec<String> = listed
            .split('\0')
            .filter(|path| !path.is_empty() && self.root.join(path).is_file())
            .map(str::to_owned)
            .collect();
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// The text of a file; `None` when it is not UTF-8 text (an image, an archive).
    pub(crate) fn text(&self, path: &str) -> Result<Option<String>, RepoError> {
        let full = self.root.join(path);
        let bytes =
            std::fs::read(&full).map_err(|source| RepoError::Read { path: full, source })?;
        if bytes.contains(&0) {
            return Ok(None);
        }
        Ok(String::from_utf8(bytes).ok())
    }

    /// What a git command prints.
    pub(crate) fn git(&self, arguments: &[&str]) -> Result<String, RepoError> {
        let shown = arguments.join(" ");
        let output = Command::new("git")
            .args(arguments)
            .current_dir(&self.root)
            .output()
            .map_err(|source| RepoError::GitMissing { arguments: shown.clone(), source })?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(RepoError::Git { arguments: shown, message });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

//! Profiles: where PCEs are in `config.toml`, secrets apart in `credentials.toml`, mode 0600.

use crate::error::{Failure, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// `config.toml`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Config {
    /// The profile that is used when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<String>,
    #[serde(default)]
    pub(crate) profiles: BTreeMap<String, Profile>,
}

/// Where a PCE is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    pub(crate) url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) org: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) insecure: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proxy: Option<String>,
}

/// One entry of `credentials.toml`.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Secret {
    pub(crate) key: String,
    pub(crate) secret: String,
}

/// The folder of both files.
pub(crate) fn folder() -> Result<PathBuf> {
    let var = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    var("BULKHEAD_CONFIG_DIR")
        .or_else(|| var("XDG_CONFIG_HOME").map(|dir| dir.join("bulkhead")))
        .or_else(|| var("HOME").map(|dir| dir.join(".config/bulkhead")))
        .ok_or_else(|| Failure::usage("set HOME or BULKHEAD_CONFIG_DIR to keep profiles"))
}

fn read<T: Default + serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    match std::fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text)
            .map_err(|e| Failure::usage(format!("{}: {}", path.display(), e.message()))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(T::default()),
        Err(e) => Err(Failure::usage(format!("cannot read {}: {e}", path.display()))),
    }
}

/// Replaces a file as a whole; only its owner may read it.
fn write(path: &Path, value: &impl Serialize) -> Result {
    let text = toml::to_string(value).map_err(|e| Failure::failed(e.to_string()))?;
    let failed = |e| Failure::failed(format!("cannot write {}: {e}", path.display()));
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let fresh = path.with_extension("new");
    // What an earlier, interrupted run left may have another mode.
    let _ = std::fs::remove_file(&fresh);
    let mut file = std::fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&fresh, path).map_err(failed)
}

impl Config {
    pub(crate) fn load() -> Result<Self> {
        read(&folder()?.join("config.toml"))
    }

    pub(crate) fn save(&self) -> Result {
        write(&folder()?.join("config.toml"), self)
    }
}

/// All secrets, by profile.
pub(crate) fn secrets() -> Result<BTreeMap<String, Secret>> {
    let path = folder()?.join("credentials.toml");
    let mode = std::fs::metadata(&path).map_or(0, |meta| meta.permissions().mode());
    if mode & 0o077 != 0 {
        let text = format!("others may read {0}; run `chmod 600 {0}`", path.display());
        return Err(Failure::usage(text));
    }
    read(&path)
}

/// Replaces all secrets.
pub(crate) fn save_secrets(secrets: &BTreeMap<String, Secret>) -> Result {
    write(&folder()?.join("credentials.toml"), secrets)
}

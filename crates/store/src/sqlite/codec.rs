//! Between rows and domain types, and between the engine's errors and ours.

use crate::{Refusal, StoreError, UpdateType};
use bulkhead_ids::{Id, Kind};
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{ErrorCode, Row};
use std::path::Path;

/// Largest result of a job, in bytes: under the engine's limit of 10^9 for one value.
pub(super) const BLOB_LEN_MAX: usize = 512 << 20;

/// The fastest level: commits wait for it, and JSON repeats itself enough to shrink well at any.
const BLOB_ZSTD_LEVEL: i32 = 1;

/// The kind in a column.
pub(super) fn kind(row: &Row<'_>, i: usize) -> rusqlite::Result<Kind> {
    let name = row.get_ref(i)?.as_str().map_err(|e| bad(i, e))?;
    Kind::from_name(name).ok_or_else(|| bad(i, FromSqlError::Other(unknown("kind", name).into())))
}

/// The id in a column.
pub(super) fn id(row: &Row<'_>, i: usize) -> rusqlite::Result<Id> {
    row.get(i).map(Id::from_bytes)
}

/// The id in a column, where there is one.
pub(super) fn opt_id(row: &Row<'_>, i: usize) -> rusqlite::Result<Option<Id>> {
    row.get::<_, Option<[u8; 16]>>(i).map(|b| b.map(Id::from_bytes))
}

/// The pending marker in a column.
pub(super) fn pending(row: &Row<'_>, i: usize) -> rusqlite::Result<Option<UpdateType>> {
    let Some(n) = row.get::<_, Option<u8>>(i)? else { return Ok(None) };
    let known = UpdateType::from_u8(n);
    let other = || bad(i, FromSqlError::Other(unknown("update type", &n.to_string()).into()));
    known.map(Some).ok_or_else(other)
}

/// The bytes in a column, lent.
pub(super) fn bytes<'a>(row: &'a Row<'_>, i: usize) -> rusqlite::Result<&'a [u8]> {
    row.get_ref(i)?.as_blob().map_err(|e| bad(i, e))
}

/// A version to look for. No version beyond the largest that can be stored was ever written.
pub(super) fn version(v: u64) -> i64 {
    i64::try_from(v).unwrap_or(i64::MAX)
}

/// A number to store.
pub(super) fn store_int(what: &'static str, v: u64) -> Result<i64, Refusal> {
    i64::try_from(v).map_err(|_| Refusal::TooLarge(what))
}

fn unknown(what: &str, found: &str) -> String {
    format!("unknown {what} {found:?}")
}

fn bad(column: usize, e: FromSqlError) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Null, Box::new(e))
}

/// Packs the result of a job.
pub(super) fn pack(body: &[u8]) -> Result<Vec<u8>, Refusal> {
    if body.len() > BLOB_LEN_MAX {
        return Err(Refusal::TooLarge("result"));
    }
    zstd::bulk::compress(body, BLOB_ZSTD_LEVEL).map_err(|_| Refusal::TooLarge("result"))
}

/// The inverse of [`pack`], given the size that was recorded beside it.
pub(super) fn unpack(size: usize, body: &[u8], path: &Path) -> Result<Vec<u8>, StoreError> {
    if size > BLOB_LEN_MAX {
        return Err(StoreError::corrupt(path, "a result has an impossible size"));
    }
    zstd::bulk::decompress(body, size)
        .map_err(|e| StoreError::corrupt(path, format!("a result cannot be unpacked: {e}")))
}

/// The code of a failure in the engine, if it is one.
fn code(e: &rusqlite::Error) -> Option<ErrorCode> {
    match e {
        rusqlite::Error::SqliteFailure(f, _) => Some(f.code),
        _ => None,
    }
}

/// Whether reading or writing a file failed, other than for want of space.
pub(super) fn is_io(e: &rusqlite::Error) -> bool {
    code(e) == Some(ErrorCode::SystemIoFailure)
}

/// Whether a uniqueness or other constraint refused a row.
pub(super) fn is_constraint(e: &rusqlite::Error) -> bool {
    code(e) == Some(ErrorCode::ConstraintViolation)
}

/// The engine's error as ours.
pub(super) fn error(e: rusqlite::Error, path: &Path) -> StoreError {
    use rusqlite::Error as E;
    match (code(&e), &e) {
        (Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase), _)
        | (_, E::FromSqlConversionFailure(..) | E::InvalidColumnType(..))
        | (_, E::IntegralValueOutOfRange(..)) => StoreError::corrupt(path, e.to_string()),
        (Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked), _) => StoreError::Busy,
        (Some(ErrorCode::DiskFull), _) => StoreError::Full,
        (Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly), _) => {
            StoreError::io("use", path)(std::io::Error::other(e))
        }
        _ => StoreError::Engine(Box::new(e)),
    }
}

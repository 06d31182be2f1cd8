//! Request bodies: bounded, strict JSON.

use bulkhead_api::{ApiError, limits};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use http_body_util::BodyExt;
use hyper::body::Body;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Memory that request bodies may take at once, in KiB.
static MEMORY: Semaphore = Semaphore::const_new(limits::BODY_BYTES_TOTAL_MAX / 1024);

/// Bytes of the body of a refused request that are read and dropped.
const DRAINED_BYTES_MAX: usize = 256 * 1024;
/// How long that may take.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// A body and the memory it counts against.
pub struct Read {
    /// The bytes.
    pub bytes: Bytes,
    _permit: Option<SemaphorePermit<'static>>,
}

/// Reads a body of bounded size in bounded time.
///
/// # Errors
/// `TooLarge`, `TimedOut`, `Malformed` when the connection breaks, 406 for an encoded body.
pub async fn read(
    headers: &HeaderMap,
    body: impl Body<Data = Bytes> + Unpin,
) -> Result<Read, ApiError> {
    let encoding = headers.get(CONTENT_ENCODING).map(|v| v.as_bytes());
    if encoding.is_some_and(|e| !e.eq_ignore_ascii_case(b"identity")) {
        return Err(ApiError::input("encoded request bodies are not accepted: send plain JSON"));
    }
    if body.is_end_stream() {
        return Ok(Read { bytes: Bytes::new(), _permit: None });
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|n| n > limits::BODY_BYTES_MAX) {
        return Err(ApiError::TooLarge);
    }
    let time = Duration::from_secs(limits::BODY_READ_S);
    tokio::time::timeout(time, collect(length, body)).await.map_err(|_| ApiError::TimedOut)?
}

async fn collect(
    length: Option<usize>,
    mut body: impl Body<Data = Bytes> + Unpin,
) -> Result<Read, ApiError> {
    let busy = |_| ApiError::Unavailable("too many large requests at once".into());
    let kib = |n: usize| u32::try_from(n / 1024 + 1).unwrap_or(u32::MAX);
    let first = length.unwrap_or(64 * 1024);
    let mut permit = MEMORY.acquire_many(kib(first)).await.map_err(busy)?;
    let mut held = first;
    let mut bytes = BytesMut::with_capacity(length.unwrap_or_default().min(64 * 1024));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ApiError::Malformed("the body broke off".into()))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limits::BODY_BYTES_MAX {
            return Err(ApiError::TooLarge);
        }
        if bytes.len() + data.len() > held {
            permit.merge(MEMORY.acquire_many(kib(held)).await.map_err(busy)?);
            held *= 2;
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Read { bytes: bytes.freeze(), _permit: Some(permit) })
}

/// Reads what is left of the body of a refused request, so that the connection can serve the next;
/// says whether all of it came, within a small bound.
pub async fn drain(mut body: impl Body<Data = Bytes> + Unpin) -> bool {
    let all = async {
        let mut left = DRAINED_BYTES_MAX;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            let length = frame.data_ref().map_or(0, Bytes::len);
            let Some(rest) = left.checked_sub(length) else { return false };
            left = rest;
        }
        true
    };
    tokio::time::timeout(DRAIN_TIME, all).await.unwrap_or(false)
}

/// Whether the body is said to be JSON.
pub fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).is_some_and(|v| {
        let media = v.split(';').next().unwrap_or_default().trim();
        media.eq_ignore_ascii_case("application/json")
    })
}

/// Parses a body: UTF-8, no repeated keys, no NUL in texts, bounded depth and list length.
///
/// # Errors
/// 406 that says where and why.
pub fn parse(bytes: &[u8]) -> Result<Value, ApiError> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        ApiError::input(format!("the body is no UTF-8 at byte {}", e.valid_up_to()))
    })?;
    let mut de = serde_json::Deserializer::from_str(text);
    let value = Strict::deserialize_at(&mut de, 0)
        .map_err(|e| ApiError::input(format!("the body is no valid JSON: {e}")))?;
    de.end().map_err(|e| ApiError::input(format!("the body is no valid JSON: {e}")))?;
    Ok(value)
}

struct Strict {
    depth: usize,
}

impl Strict {
    fn deserialize_at<'de, D: Deserializer<'de>>(d: D, depth: usize) -> Result<Value, D::Error> {
        if depth > limits::JSON_DEPTH_MAX {
            return Err(de::Error::custom(format!(
                "nested deeper than {} levels",
                limits::JSON_DEPTH_MAX
            )));
        }
        d.deserialize_any(Self { depth })
    }
}

/// A seed that parses one level deeper.
struct Deeper(usize);

impl<'de> de::DeserializeSeed<'de> for Deeper {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        Strict::deserialize_at(d, self.0)
    }
}

fn text<E: de::Error>(s: &str) -> Result<Value, E> {
    if s.contains('\0') {
        return Err(E::custom("a text holds a NUL character"));
    }
    Ok(Value::String(s.to_owned()))
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, v: bool) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_f64<E: de::Error>(self, v: f64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Value, E> {
        text(v)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        while let Some(v) = seq.next_element_seed(Deeper(self.depth + 1))? {
            if out.len() >= limits::ARRAY_ITEMS_MAX {
                return Err(de::Error::custom(format!(
                    "a list has more than {} elements",
                    limits::ARRAY_ITEMS_MAX
                )));
            }
            out.push(v);
        }
        Ok(out.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if key.contains('\0') {
                return Err(de::Error::custom("a name holds a NUL character"));
            }
            let value = map.next_value_seed(Deeper(self.depth + 1))?;
            if out.contains_key(&key) {
                return Err(de::Error::custom(format!("the name `{key}` stands twice")));
            }
            out.insert(key, value);
        }
        Ok(out.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_json_parses_whole() {
        let v = parse(br#"{"a":[1,-2,3.5,null,true,"x"],"b":{}}"#).unwrap();
        assert_eq!(v, serde_json::json!({"a": [1, -2, 3.5, null, true, "x"], "b": {}}));
    }

    #[test]
    fn bad_json_is_refused() {
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        let bad: [&[u8]; 7] = [
            b"{",
            b"{\"a\":1,\"a\":2}",
            b"\"\\u0000\"",
            b"{} x",
            b"\xff",
            b"[1,]",
            deep.as_bytes(),
        ];
        for b in bad {
            let e = parse(b).unwrap_err();
            assert_eq!(e.status(), 406, "{e:?}");
        }
    }
}

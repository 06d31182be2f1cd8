//! Paths and queries as clients send them.

use percent_encoding::percent_decode_str;

/// Brings a path to the form of the operation table: `/api/v1` and `/api/v2` off, double slashes
/// single, no slash at the end. `None` for paths outside the API.
pub fn normalise(path: &str) -> Option<String> {
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let rest = match segments.as_slice() {
        ["api", "v1" | "v2", rest @ ..] => rest,
        // Load balancers probe without the prefix.
        ["node_available"] => segments.as_slice(),
        _ => return None,
    };
    Some(rest.iter().fold(String::with_capacity(path.len()), |mut out, s| {
        out.push('/');
        out.push_str(s);
        out
    }))
}

/// Decodes one path segment; `None` where the result is no UTF-8 or holds a NUL.
pub fn decode(segment: &str) -> Option<String> {
    let s = percent_decode_str(segment).decode_utf8().ok()?;
    (!s.contains('\0')).then(|| s.into_owned())
}

/// Decodes a query string; `None` where a part is no UTF-8 or holds a NUL.
pub fn query(raw: &str) -> Option<Vec<(String, String)>> {
    raw.split('&')
        .filter(|p| !p.is_empty())
        .map(|pair| {
            let (k, v) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(&k.replace('+', " "))?, decode(&v.replace('+', " "))?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised() {
        for (raw, want) in [
            ("/api/v2/orgs/1/labels", Some("/orgs/1/labels")),
            ("/api/v2//users/1/api_keys", Some("/users/1/api_keys")),
            ("/api/v1/orgs/1//labels/", Some("/orgs/1/labels")),
            ("/node_available", Some("/node_available")),
            ("/api/v3/orgs/1/labels", None),
            ("/", None),
        ] {
            assert_eq!(normalise(raw).as_deref(), want, "{raw}");
        }
    }

    #[test]
    fn queries_are_decoded() {
        assert_eq!(
            query("a=1&b=x+y%20z"),
            Some(vec![("a".into(), "1".into()), ("b".into(), "x y z".into())])
        );
        assert_eq!(query("a=%ff"), None);
        assert_eq!(query("a=%00"), None);
    }
}

//! The rows of a JSON array one by one, as the bytes arrive: memory for one row, not for all.

/// Bytes of one row; more is taken for something other than a row.
const ROW_BYTES_MAX: usize = 64 << 20;

/// Why the bytes are no array of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RowsError {
    #[error("it is HTML, not JSON")]
    Html,
    #[error("it is no array")]
    NoArray,
    #[error("it is cut off")]
    CutOff,
    #[error("something follows the array")]
    Tail,
    #[error("a row is larger than {ROW_BYTES_MAX} bytes")]
    TooLarge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Before,
    /// In the array; the flag says that it holds nothing yet.
    Inside(bool),
    After,
}

/// Cuts an array into its rows.
#[derive(Debug)]
pub(crate) struct Rows {
    bytes: Vec<u8>,
    /// Where the current row starts.
    start: usize,
    /// How far it was looked at.
    at: usize,
    depth: u32,
    in_text: bool,
    escaped: bool,
    place: Place,
}

impl Rows {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            at: 0,
            depth: 0,
            in_text: false,
            escaped: false,
            place: Place::Before,
        }
    }

    /// Takes more bytes; those of rows that were handed out are dropped.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.bytes.drain(..self.start);
        self.at -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(chunk);
    }

    /// The text of the next row, `None` when more bytes are needed or the array has ended.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, RowsError> {
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            let Some(end) = self.step(byte)? else { continue };
            let row = self.bytes.get(self.start..end).unwrap_or_default();
            self.start = self.at;
            return Ok(Some(row));
        }
        if self.at - self.start > ROW_BYTES_MAX { Err(RowsError::TooLarge) } else { Ok(None) }
    }

    /// Looks at the byte before `at`; gives the end of a row that ends there.
    fn step(&mut self, byte: u8) -> Result<Option<usize>, RowsError> {
        let blank = byte.is_ascii_whitespace();
        match self.place {
            Place::Before if blank => {}
            Place::Before if byte == b'[' => self.place = Place::Inside(true),
            Place::Before if byte == b'<' => return Err(RowsError::Html),
            Place::Before => return Err(RowsError::NoArray),
            Place::After if !blank => return Err(RowsError::Tail),
            Place::After => {}
            Place::Inside(empty) => return Ok(self.inside(byte, empty)),
        }
        self.start = self.at;
        Ok(None)
    }

    fn inside(&mut self, byte: u8, empty: bool) -> Option<usize> {
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return None;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.depth += 1,
            b']' if self.depth == 0 => {
                self.place = Place::After;
                let end = self.at - 1;
                let row = self.bytes.get(self.start..end).unwrap_or_default();
                if empty && row.trim_ascii().is_empty() {
                    self.start = self.at;
                    return None;
                }
                return Some(end);
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b',' if self.depth == 0 => {
                self.place = Place::Inside(false);
                return Some(self.at - 1);
            }
            _ => {}
        }
        None
    }

    /// Whether the array came to its end.
    pub(crate) fn finish(&self) -> Result<(), RowsError> {
        if self.place == Place::After { Ok(()) } else { Err(RowsError::CutOff) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows when the bytes arrive `size` at a time.
    fn cut(text: &str, size: usize) -> Result<Vec<String>, RowsError> {
        let (mut rows, mut out) = (Rows::new(), Vec::new());
        for chunk in text.as_bytes().chunks(size) {
            rows.push(chunk);
            while let Some(row) = rows.next()? {
                out.push(String::from_utf8_lossy(row).trim().to_owned());
            }
        }
        rows.finish().map(|()| out)
    }

    #[test]
    fn cuts_rows_whatever_the_pieces() {
        for (text, want) in [
            ("[]", vec![]),
            (" [ ] \n", vec![]),
            ("[1]", vec!["1"]),
            ("[1, 2,3 ]", vec!["1", "2", "3"]),
            (
                r#"[{"a":[1,{"b":"],"}]},{"c":"\"}\\"}]"#,
                vec![r#"{"a":[1,{"b":"],"}]}"#, r#"{"c":"\"}\\"}"#],
            ),
            ("[[],[[]]]", vec!["[]", "[[]]"]),
        ] {
            for size in 1..=text.len() {
                assert_eq!(
                    cut(text, size).as_deref(),
                    Ok(want.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>().as_slice()),
                    "{text} by {size}"
                );
            }
        }
    }

    #[test]
    fn refuses_what_is_no_array() {
        for (text, want) in [
            ("", RowsError::CutOff),
            ("[1,{", RowsError::CutOff),
            ("[1", RowsError::CutOff),
            ("{}", RowsError::NoArray),
            (" <html>", RowsError::Html),
            ("[1] x", RowsError::Tail),
        ] {
            for size in 1..=text.len().max(1) {
                assert_eq!(cut(text, size), Err(want), "{text} by {size}");
            }
        }
        assert_eq!(cut("[1,,2]", 9).unwrap()[1], "", "an empty row is no JSON, and fails there");
    }
}

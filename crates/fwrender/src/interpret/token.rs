//! Words of a ruleset text.

use super::InterpretError;

/// Longest text that is read, in bytes.
const TEXT_LEN_MAX: usize = 256 << 20;

/// One word, with the line that it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    /// Text between quotes.
    Text(String),
    Open,
    Close,
    Comma,
    /// End of a statement: a new line or `;`.
    End,
}

/// An error in a line.
pub(super) fn wrong(line: usize, reason: impl Into<String>) -> InterpretError {
    InterpretError::Syntax { line, reason: reason.into() }
}

/// The words of a text. A colon or a dot is a word of its own only with white space around it, which is how
/// the renderer writes them; within a word they belong to an address or a class.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, InterpretError> {
    if text.len() > TEXT_LEN_MAX {
        return Err(wrong(1, "too long a text"));
    }
    let mut out = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let token = match first {
                '{' => Token::Open,
                '}' => Token::Close,
                ',' => Token::Comma,
                ';' => Token::End,
                '#' => break,
                '"' => {
                    let quoted = rest.get(1..).and_then(|r| r.split_once('"'));
                    let (text, after) =
                        quoted.ok_or_else(|| wrong(number, "quotes without end"))?;
                    out.push((Token::Text(text.to_owned()), number));
                    rest = after;
                    continue;
                }
                c if c.is_whitespace() => {
                    rest = rest.trim_start();
                    continue;
                }
                _ => {
                    let end =
                        |c: char| c.is_whitespace() || matches!(c, '{' | '}' | ',' | ';' | '"');
                    let (word, after) = rest
                        .split_at_checked(rest.find(end).unwrap_or(rest.len()))
                        .unwrap_or((rest, ""));
                    out.push((Token::Word(word.to_owned()), number));
                    rest = after;
                    continue;
                }
            };
            out.push((token, number));
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
        out.push((Token::End, number));
    }
    Ok(out)
}

//! Reads a ruleset text: tables, sets, chains. Rules are in `parse/rule.rs`.

use super::InterpretError;
use super::elements::Elements;
use super::program::{Chain, Entrance, Kind, Program, Set, Value, ValueKind, Verdict};
use super::token::{Token, tokens, wrong};

mod rule;

/// The words of a text and the place in them.
pub(super) struct Reader {
    tokens: Vec<(Token, usize)>,
    at: usize,
}

type Result<T> = std::result::Result<T, InterpretError>;

/// Reads a whole text.
pub(super) fn parse(text: &str) -> Result<Program> {
    let mut reader = Reader { tokens: tokens(text)?, at: 0 };
    let mut program = Program::default();
    let mut removed = false;
    loop {
        reader.skip_ends();
        let Some(word) = reader.optional_word() else { break };
        match word.as_str() {
            "add" | "delete" => {
                reader.expect("table")?;
                reader.table_name()?;
                removed = true;
            }
            "table" if removed && program.chains.is_empty() => {
                reader.table_name()?;
                reader.table(&mut program)?;
            }
            "table" => return Err(reader.wrong("a table without removing the old one first")),
            other => return Err(reader.wrong(format!("`{other}` where a table begins"))),
        }
    }
    if reader.at < reader.tokens.len() {
        return Err(reader.wrong("something that is no word where a table begins"));
    }
    Ok(program)
}

impl Reader {
    fn line(&self) -> usize {
        let at = self.at.min(self.tokens.len().saturating_sub(1));
        self.tokens.get(at).map_or(1, |(_, line)| *line)
    }

    fn wrong(&self, reason: impl Into<String>) -> InterpretError {
        wrong(self.line(), reason)
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.at += usize::from(token.is_some());
        token
    }

    /// Goes on when the next token is this one.
    fn eat(&mut self, token: &Token) -> bool {
        let same = self.peek() == Some(token);
        self.at += usize::from(same);
        same
    }

    fn skip_ends(&mut self) {
        while self.eat(&Token::End) {}
    }

    fn peek_word(&self) -> Option<&str> {
        match self.peek() {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }

    fn optional_word(&mut self) -> Option<String> {
        let word = self.peek_word()?.to_owned();
        self.at += 1;
        Some(word)
    }

    fn word(&mut self) -> Result<String> {
        self.optional_word().ok_or_else(|| self.wrong("a word is missing"))
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let same = self.peek_word() == Some(word);
        self.at += usize::from(same);
        same
    }

    fn expect(&mut self, word: &str) -> Result<()> {
        if self.eat_word(word) { Ok(()) } else { Err(self.wrong(format!("`{word}` is missing"))) }
    }

    fn token(&mut self, token: &Token) -> Result<()> {
        if self.eat(token) { Ok(()) } else { Err(self.wrong(format!("{token:?} is missing"))) }
    }

    fn text(&mut self) -> Result<String> {
        match self.next() {
            Some(Token::Text(text)) => Ok(text),
            _ => Err(self.wrong("a text in quotes is missing")),
        }
    }

    fn number<T: std::str::FromStr>(&mut self) -> Result<T> {
        let word = self.word()?;
        word.parse().map_err(|_| self.wrong(format!("`{word}` is no number of its kind")))
    }

    fn table_name(&mut self) -> Result<()> {
        self.expect("inet")?;
        self.word().map(drop)
    }

    fn table(&mut self, program: &mut Program) -> Result<()> {
        self.token(&Token::Open)?;
        loop {
            self.skip_ends();
            if self.eat(&Token::Close) {
                return Ok(());
            }
            let (kind, name) = (self.word()?, self.word()?);
            self.token(&Token::Open)?;
            let double = match kind.as_str() {
                "set" | "map" => {
                    let set = self.set(kind == "map")?;
                    program.sets.insert(name.clone(), set).is_some()
                }
                "chain" => {
                    let chain = self.chain()?;
                    program.chains.insert(name.clone(), chain).is_some()
                }
                other => return Err(self.wrong(format!("`{other}` in a table"))),
            };
            if double {
                return Err(self.wrong(format!("`{name}` a second time")));
            }
        }
    }

    /// A set or map after its opening brace.
    fn set(&mut self, map: bool) -> Result<Set> {
        let elements = Elements::default();
        let mut set = Set { keys: Vec::new(), values: None, timeout: false, elements };
        let mut interval = false;
        loop {
            self.skip_ends();
            if self.eat(&Token::Close) {
                break;
            }
            match self.word()?.as_str() {
                "type" => self.set_type(&mut set)?,
                "flags" => match self.word()?.as_str() {
                    "interval" => interval = true,
                    "timeout" => set.timeout = true,
                    other => return Err(self.wrong(format!("flag `{other}`"))),
                },
                "elements" => {
                    self.expect("=")?;
                    set.elements = self.braces(&set.keys, set.values)?;
                }
                other => return Err(self.wrong(format!("`{other}` in a set"))),
            }
        }
        if set.keys.is_empty() || map != set.values.is_some() {
            return Err(self.wrong("a set without a type, or with the type of a map"));
        }
        if set.elements.has_ranges() && !interval {
            return Err(self.wrong("a range in a set without the flag `interval`"));
        }
        Ok(set)
    }

    fn set_type(&mut self, set: &mut Set) -> Result<()> {
        set.keys = vec![match self.word()?.as_str() {
            "ipv4_addr" => Kind::Ip4,
            "ipv6_addr" => Kind::Ip6,
            "classid" => Kind::Class,
            other => return Err(self.wrong(format!("type `{other}`"))),
        }];
        if self.eat_word(":") {
            set.values = Some(match self.word()?.as_str() {
                "classid" => ValueKind::Class,
                "verdict" => ValueKind::Verdict,
                other => return Err(self.wrong(format!("a map to `{other}`"))),
            });
        }
        Ok(())
    }

    /// Elements in braces.
    fn braces(&mut self, keys: &[Kind], values: Option<ValueKind>) -> Result<Elements> {
        self.token(&Token::Open)?;
        let mut elements = Elements::default();
        loop {
            self.skip_ends();
            if self.eat(&Token::Close) {
                return Ok(elements);
            }
            let mut key = Vec::with_capacity(keys.len());
            for (i, kind) in keys.iter().enumerate() {
                if i > 0 {
                    self.expect(".")?;
                }
                let word = self.word()?;
                key.push(
                    range(*kind, &word)
                        .ok_or_else(|| self.wrong(format!("`{word}` as element")))?,
                );
            }
            let value = match values {
                None => Value::Member,
                Some(kind) => {
                    self.expect(":")?;
                    self.value(kind)?
                }
            };
            elements.insert(key, value).map_err(|reason| self.wrong(reason))?;
            self.skip_ends();
            if !self.eat(&Token::Comma) && self.peek() != Some(&Token::Close) {
                return Err(self.wrong("a comma between elements is missing"));
            }
        }
    }

    fn value(&mut self, kind: ValueKind) -> Result<Value> {
        let word = self.word()?;
        let value = match kind {
            ValueKind::Class => class(&word).map(Value::Class),
            ValueKind::Verdict => self.verdict(&word)?.map(Value::Verdict),
        };
        value.ok_or_else(|| self.wrong(format!("`{word}` as value")))
    }

    /// A verdict that begins with a word; none when the word begins none.
    fn verdict(&mut self, word: &str) -> Result<Option<Verdict>> {
        Ok(Some(match word {
            "accept" => Verdict::Accept,
            "drop" => Verdict::Drop,
            "return" => Verdict::Return,
            "jump" => Verdict::Jump(self.word()?),
            "goto" => Verdict::Goto(self.word()?),
            _ => return Ok(None),
        }))
    }

    /// A chain after its opening brace.
    fn chain(&mut self) -> Result<Chain> {
        let mut chain = Chain::default();
        loop {
            self.skip_ends();
            if self.eat(&Token::Close) {
                return Ok(chain);
            }
            if chain.rules.is_empty() && self.eat_word("type") {
                chain.base = Some(self.base()?);
                continue;
            }
            let rule = self.rule()?;
            chain.rules.push(rule);
        }
    }

    fn base(&mut self) -> Result<(Entrance, i32, bool)> {
        self.expect("filter")?;
        self.expect("hook")?;
        let entrance = match self.word()?.as_str() {
            "prerouting" => Entrance::Prerouting,
            "input" => Entrance::Input,
            "forward" => Entrance::Forward,
            "output" => Entrance::Output,
            other => return Err(self.wrong(format!("hook `{other}`"))),
        };
        self.expect("priority")?;
        let priority = self.number()?;
        self.token(&Token::End)?;
        self.expect("policy")?;
        let drops = match self.word()?.as_str() {
            "accept" => false,
            "drop" => true,
            other => return Err(self.wrong(format!("policy `{other}`"))),
        };
        self.token(&Token::End)?;
        Ok((entrance, priority, drops))
    }
}

/// The points of an element: one, a range with a hyphen, or a prefix.
fn range(kind: Kind, text: &str) -> Option<(u128, u128)> {
    if matches!(kind, Kind::Ip4 | Kind::Ip6) {
        let bits: u32 = if kind == Kind::Ip4 { 32 } else { 128 };
        if let Some((base, length)) = text.split_once('/') {
            let length: u32 = length.parse().ok()?;
            let free = bits.checked_sub(length)?;
            let mask = 1u128.checked_shl(free).map_or(u128::MAX, |size| size - 1);
            let base = point(kind, base)?;
            return (base & mask == 0).then_some((base, base | mask));
        }
    }
    match text.split_once('-') {
        Some((first, last)) => Some((point(kind, first)?, point(kind, last)?)),
        None => point(kind, text).map(|p| (p, p)),
    }
}

fn point(kind: Kind, text: &str) -> Option<u128> {
    match kind {
        Kind::Ip4 => text.parse::<std::net::Ipv4Addr>().ok().map(|a| a.to_bits().into()),
        Kind::Ip6 => text.parse::<std::net::Ipv6Addr>().ok().map(|a| a.to_bits()),
        Kind::Byte => text.parse::<u8>().ok().map(u128::from),
        Kind::Port => text.parse::<u16>().ok().map(u128::from),
        Kind::Class => class(text).map(u128::from),
    }
}

/// A class: two hexadecimal halves.
fn class(text: &str) -> Option<u32> {
    let (high, low) = text.split_once(':')?;
    let half = |s| u16::from_str_radix(s, 16).ok();
    Some(u32::from(half(high)?) << 16 | u32::from(half(low)?))
}

//! Reads one rule.

use super::{Reader, Result, Token};
use crate::interpret::CtState;
use crate::interpret::program::{Field, Half, Op, Rule, Source, ValueKind};

impl Reader {
    /// A rule up to the end of its line.
    pub(super) fn rule(&mut self) -> Result<Rule> {
        let mut rule = Rule::default();
        while !self.eat(&Token::End) {
            if self.peek() == Some(&Token::Close) {
                return Err(self.wrong("a rule without end"));
            }
            if self.eat_word("comment") {
                rule.comment = Some(self.text()?);
                continue;
            }
            self.op(&mut rule.ops)?;
        }
        Ok(rule)
    }

    fn op(&mut self, ops: &mut Vec<Op>) -> Result<()> {
        let word = self.word()?;
        if let Some(verdict) = self.verdict(&word)? {
            ops.push(Op::Verdict(verdict));
            return Ok(());
        }
        let op = match word.as_str() {
            "iifname" | "oifname" => {
                let name = self.text()?;
                let stem = name.strip_suffix('*').map(str::to_owned);
                let any_rest = stem.is_some();
                Op::Interface(word == "iifname", stem.unwrap_or(name), any_rest)
            }
            "ct" => self.ct_state()?,
            "fib" => {
                for expected in ["daddr", "type", "local"] {
                    self.expect(expected)?;
                }
                Op::Local
            }
            "notrack" => Op::Untrack,
            "limit" => return self.limit(),
            "log" => self.log()?,
            "reject" => self.reject()?,
            "rt" => {
                self.expect("ipsec")?;
                self.expect("exists")?;
                Op::Secured(false)
            }
            "meta" if self.eat_word("secpath") => {
                self.expect("exists")?;
                Op::Secured(true)
            }
            _ => self.lookup(word)?,
        };
        ops.push(op);
        Ok(())
    }

    fn ct_state(&mut self) -> Result<Op> {
        self.expect("state")?;
        let mut states = Vec::new();
        loop {
            states.push(match self.word()?.as_str() {
                "new" => CtState::New,
                "established" => CtState::Established,
                "related" => CtState::Related,
                "invalid" => CtState::Invalid,
                "untracked" => CtState::Untracked,
                other => return Err(self.wrong(format!("state `{other}`"))),
            });
            if !self.eat(&Token::Comma) {
                return Ok(Op::State(states));
            }
        }
    }

    /// A limit, which is taken as never exhausted.
    fn limit(&mut self) -> Result<()> {
        self.expect("rate")?;
        let rate = self.word()?;
        let number = rate.strip_suffix("/second").and_then(|n| n.parse::<u32>().ok());
        if number.is_none_or(|n| n == 0) {
            return Err(self.wrong(format!("rate `{rate}`")));
        }
        self.expect("burst")?;
        self.number::<u32>()?;
        self.expect("packets")
    }

    fn log(&mut self) -> Result<Op> {
        self.expect("prefix")?;
        let prefix = self.text()?;
        self.expect("group")?;
        self.number::<u16>()?;
        if prefix.len() > crate::PREFIX_LEN_MAX {
            return Err(self.wrong("a prefix longer than the kernel takes"));
        }
        Ok(Op::Log(prefix))
    }

    fn reject(&mut self) -> Result<Op> {
        self.expect("with")?;
        match self.word()?.as_str() {
            "tcp" => self.expect("reset")?,
            "icmpx" => {
                self.expect("type")?;
                self.expect("admin-prohibited")?;
            }
            other => return Err(self.wrong(format!("reject with `{other}`"))),
        }
        Ok(Op::Reject)
    }

    /// What begins with a field: a test, a verdict map, or setting the priority.
    fn lookup(&mut self, first: String) -> Result<Op> {
        let mut fields = vec![self.field(&first)?];
        if fields == [Field::Priority] && self.eat_word("set") {
            return self.set_priority();
        }
        while self.eat_word(".") {
            let word = self.word()?;
            fields.push(self.field(&word)?);
        }
        let map = self.eat_word("vmap");
        let values = map.then_some(ValueKind::Verdict);
        let source = self.source(&fields, values)?;
        Ok(if map { Op::VerdictMap(fields, source) } else { Op::In(fields, source) })
    }

    fn set_priority(&mut self) -> Result<Op> {
        let word = self.word()?;
        if word == "none" {
            return Ok(Op::ClearPriority);
        }
        let field = self.field(&word)?;
        self.expect("map")?;
        let name = self.word()?;
        let name = name.strip_prefix('@').ok_or_else(|| self.wrong("a map in place"))?;
        Ok(Op::MapPriority(field, name.to_owned()))
    }

    /// Elements in braces, the name of a set, or one element alone.
    fn source(&mut self, fields: &[Field], values: Option<ValueKind>) -> Result<Source> {
        let kinds: Vec<_> = fields.iter().map(|f| f.kind()).collect();
        if let Some(name) = self.peek_word().and_then(|w| w.strip_prefix('@')) {
            let name = name.to_owned();
            self.at += 1;
            return Ok(Source::Named(name));
        }
        if self.peek() == Some(&Token::Open) {
            return self.braces(&kinds, values).map(Source::Inline);
        }
        // `meta l4proto tcp` before a reject.
        if fields == [Field::Protocol] && values.is_none() && self.eat_word("tcp") {
            let mut elements = crate::interpret::elements::Elements::default();
            let value = crate::interpret::program::Value::Member;
            elements.insert(vec![(6, 6)], value).map_err(|reason| self.wrong(reason))?;
            return Ok(Source::Inline(elements));
        }
        Err(self.wrong("elements are missing"))
    }

    fn field(&mut self, first: &str) -> Result<Field> {
        let second = self.word()?;
        let half = match second.as_str() {
            "saddr" | "sport" => Half::Source,
            _ => Half::Destination,
        };
        Ok(match (first, second.as_str()) {
            ("ip", "saddr" | "daddr") => Field::Ip4(half),
            ("ip6", "saddr" | "daddr") => Field::Ip6(half),
            ("th", "sport" | "dport") => Field::Port(half),
            ("tcp", "sport" | "dport") => Field::TcpPort(half),
            ("udp", "sport" | "dport") => Field::UdpPort(half),
            ("icmp", "type") => Field::IcmpType,
            ("icmp", "code") => Field::IcmpCode,
            ("icmpv6", "type") => Field::Icmpv6Type,
            ("icmpv6", "code") => Field::Icmpv6Code,
            ("meta", "l4proto") => Field::Protocol,
            ("meta", "priority") => Field::Priority,
            _ => return Err(self.wrong(format!("`{first} {second}` in a rule"))),
        })
    }
}

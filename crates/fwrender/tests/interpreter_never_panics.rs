//! The interpreter reads any text without a panic, and refuses what is not of its language.

use bulkhead_fwrender::{Interpreter, Packet, Transport};
use proptest::prelude::*;

const GOLDEN: &str = include_str!("../src/render/golden.nft");

/// Reads a text and, if it is a ruleset, judges a packet by it.
fn read(text: &str) {
    if let Ok(interpreter) = Interpreter::parse(text) {
        let (peer, local) = ([10, 1, 1, 1].into(), [10, 0, 0, 1].into());
        let transport = Transport::Tcp { source: 1, destination: 22 };
        for packet in
            [Packet::inbound(peer, local, transport), Packet::outbound(peer, local, transport)]
        {
            interpreter.packet(&packet);
        }
    }
}

proptest! {
    #[test]
    fn any_text(text in "\\PC{0,200}") {
        read(&text);
    }

    #[test]
    fn a_ruleset_with_words_changed(places in prop::collection::vec((any::<usize>(), any::<usize>()), 1..6)) {
        let mut words: Vec<&str> = GOLDEN.split_inclusive([' ', '\n']).collect();
        let count = words.len();
        for (to, from) in places {
            words[to % count] = words[from % count];
        }
        read(&words.concat());
    }

    #[test]
    fn a_ruleset_with_characters_changed(places in prop::collection::vec((any::<usize>(), any::<char>()), 1..6)) {
        let mut text: Vec<char> = GOLDEN.chars().collect();
        let count = text.len();
        for (at, new) in places {
            text[at % count] = new;
        }
        read(&text.into_iter().collect::<String>());
    }
}

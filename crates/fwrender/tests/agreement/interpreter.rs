//! The intent read entry by entry against the interpreter of the rendered text.

use bulkhead_fwrender::{
    Cause, CtState, Interpreter, LogPrefix, Packet, RenderOptions, SecureConnect, Way, render,
};
use bulkhead_model::Effect;

use crate::chance::{Chance, budget, seed};
use crate::intents::{intent, local, peers, transport};
use crate::naive::{Answer, judge};

fn packet(chance: &mut Chance) -> Packet {
    let peer = *chance.pick(&peers());
    let transport = transport(chance, peer.is_ipv6());
    let inbound = chance.percent(50);
    let (from, to) = if inbound { (peer, local(peer)) } else { (local(peer), peer) };
    let mut packet = Packet::inbound(from, to, transport);
    packet.state = *chance.pick(&[
        CtState::New,
        CtState::New,
        CtState::New,
        CtState::Established,
        CtState::Related,
    ]);
    packet.secured = chance.percent(30);
    packet.way = if inbound { Way::Input } else { Way::Output };
    if chance.percent(20) {
        packet.way = Way::Forward;
    }
    packet.input_interface = if inbound { "eth0" } else { "docker0" }.to_owned();
    packet.output_interface = if inbound { "docker0" } else { "eth0" }.to_owned();
    match packet.way {
        Way::Input => packet.output_interface.clear(),
        Way::Output => {
            packet.input_interface.clear();
            packet.output_interface = "eth0".to_owned();
        }
        Way::Forward => {}
    }
    packet
}

/// The answer that the interpreter's logs and comments amount to.
fn check(answer: &Answer, judgement: &bulkhead_fwrender::Judgement) -> Result<(), String> {
    if answer.fate != judgement.fate {
        return Err(format!("{:?} against {:?}", answer.fate, judgement.fate));
    }
    match (&judgement.logs[..], answer.logged) {
        ([], false) => {}
        ([log], true) => {
            let prefix: LogPrefix = log.parse().map_err(|e| format!("{log}: {e}"))?;
            let cause = match answer.effect {
                Some(Effect::Essential) => Cause::Essential,
                Some(Effect::OverrideDeny) => Cause::OverrideDeny,
                Some(Effect::Allow) => Cause::Allow,
                Some(Effect::Deny) => Cause::Deny,
                None => Cause::Default,
            };
            let named = answer.rules.get(..prefix.rules.len()) == Some(&prefix.rules[..]);
            let all = prefix.rules.len() + prefix.more == answer.rules.len();
            if prefix.cause != cause || !named || !all {
                return Err(format!("logged {prefix}, decided by {answer:?}"));
            }
        }
        (logs, logged) => return Err(format!("logs {logs:?}, logged: {logged}")),
    }
    Ok(())
}

#[test]
fn the_text_says_what_the_intent_says() {
    let seed = seed();
    let policies = budget("BULKHEAD_POLICIES", 150);
    println!("seed {seed}, {policies} policies");
    for number in 0..policies as u64 {
        let mut chance = Chance::new(seed.wrapping_add(number));
        let (intent, sets) = intent(&mut chance, false);
        let secure = *chance.pick(&[SecureConnect::Require, SecureConnect::Trust]);
        let options = RenderOptions { secure_connect: secure, ..RenderOptions::default() };
        let text = render(&intent, &sets, &options).unwrap().to_text();
        let interpreter = Interpreter::parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        for _ in 0..200 {
            let packet = packet(&mut chance);
            let answer = judge(&intent, &sets, &packet, secure);
            let judgement = interpreter.packet(&packet);
            if let Err(difference) = check(&answer, &judgement) {
                panic!(
                    "BULKHEAD_SEED={} BULKHEAD_POLICIES=1: {difference}\n{packet:?}\n{answer:?}\n\
                     {judgement:?}\n{intent:#?}\n{text}",
                    seed.wrapping_add(number)
                );
            }
        }
    }
}

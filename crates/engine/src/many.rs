//! Many answers at once.

use bulkhead_model::{DraftDecision, Flow};
use rayon::prelude::*;

use crate::decide::r_draft;
use crate::engine::Engine;
use crate::hosts::ClassIx;

impl Engine {
    /// The draft view's decision of each flow, in their order; on all threads of the pool.
    ///
    /// The same as `decision` of [`Engine::decide`], without the reasons.
    pub fn decide_many(&self, flows: &[Flow]) -> Vec<DraftDecision> {
        flows.par_iter().with_min_len(1024).map(|flow| self.draft_decision(flow)).collect()
    }

    /// The draft view's decision of one flow, without the reasons.
    pub fn draft_decision(&self, flow: &Flow) -> DraftDecision {
        let (src, dst) = self.ends(flow);
        let (at_src, at_dst) = self.hits(flow, src, dst);
        r_draft([&at_src, &at_dst], self.deciding_mode(src, dst))
    }

    /// Makes the rule table of every class, on all threads of the pool, so that no later read waits for one.
    pub fn make_tables(&self) {
        let classes: Vec<ClassIx> = self.hosts.classes.iter().map(|(ix, _)| ix).collect();
        classes.into_par_iter().for_each(|ix| {
            self.table(ix);
        });
    }
}

//! Objects as answers show them.
//!
//! A document is written straight to JSON text: stored fields, references in the policy version asked
//! for with what the descriptor expands of their targets, then what is derived (href, update type,
//! caps, embedded children). The text of an object is kept beside it until something it shows changes.

use crate::audit::href_of;
use crate::doc::{Key, Val, href, intern};
use crate::resource;
use crate::world::{Obj, Rendered, Row, Side, World};
use bulkhead_api::descriptors;
use bulkhead_ids::{Id, Kind, PolicyVersion};
use bulkhead_store::UpdateType;
use bytes::Bytes;
use serde_json::Value;
use std::sync::{Arc, LazyLock};

/// What the caller may do with objects of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// Change them.
    pub write: bool,
    /// Provision them.
    pub provision: bool,
}

/// From where and for whom an object is shown.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The organisation.
    pub world: &'a World,
    /// The policy version.
    pub pv: PolicyVersion,
    /// What the caller may do.
    pub caps: Caps,
    /// Whether usage is asked for.
    pub usage: bool,
}

/// What answers show of a kind, beside stored fields.
struct Shape {
    expand: Vec<(Kind, Vec<Key>)>,
    nulls: Vec<Key>,
    hidden: Vec<(Key, Option<&'static str>)>,
    caps: bool,
    /// Caps that the descriptor's own `caps` field lists beside `write` and `provision`: they come with
    /// the right to write.
    more_caps: Vec<&'static str>,
    versioned: bool,
}

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let mut shapes: Vec<Shape> = Kind::ALL
        .iter()
        .map(|k| Shape {
            expand: Vec::new(),
            nulls: Vec::new(),
            hidden: Vec::new(),
            caps: false,
            more_caps: Vec::new(),
            versioned: k.is_policy(),
        })
        .collect();
    for (kind, d) in descriptors() {
        let Some(shape) = shapes.get_mut(kind as usize) else { continue };
        shape.caps = d.caps;
        shape.expand = d
            .expand
            .iter()
            .filter_map(|(k, fields)| {
                Some((Kind::from_name(k)?, fields.iter().map(|f| intern(f)).collect()))
            })
            .collect();
        let caps = d.fields.get("caps").and_then(|f| f.schema.pointer("/items/enum"));
        shape.more_caps = caps
            .and_then(Value::as_array)
            .map(|all| all.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        shape.more_caps.retain(|c| !matches!(*c, "write" | "provision"));
        for (name, f) in d.fields.iter().filter(|(name, _)| *name != "caps") {
            if (f.null_when_absent || f.always) && f.in_answers() {
                shape.nulls.push(intern(name));
            }
            if f.write_only || !f.in_answers() || f.feature.is_some() {
                shape.hidden.push((intern(name), f.feature.as_deref()));
            }
        }
        if d.audit && d.versioned() {
            shape.nulls.extend([intern("deleted_at"), intern("deleted_by")]);
        }
    }
    shapes
});

impl<'a> View<'a> {
    /// A view on the draft side, or on objects without sides.
    pub const fn draft(world: &'a World, caps: Caps) -> Self {
        Self { world, pv: PolicyVersion::Draft, caps, usage: false }
    }

    /// The side that the version means for references and embedded children.
    pub const fn side(&self) -> Side {
        match self.pv {
            PolicyVersion::Draft => Side::Draft,
            PolicyVersion::Active | PolicyVersion::Number(_) => Side::Active,
        }
    }

    fn variant(&self, row: Option<UpdateType>) -> u64 {
        let pv = match self.pv {
            PolicyVersion::Draft => 0,
            PolicyVersion::Active => 1,
            PolicyVersion::Number(n) => n + 2,
        };
        let caps = u64::from(self.caps.write) | u64::from(self.caps.provision) << 1;
        caps | row.map_or(0, |u| u as u64) << 2 | pv << 4
    }

    /// The object of a row on the side of this view, as JSON text.
    pub fn row(&self, row: &Row) -> Option<Bytes> {
        let active = self.side() == Side::Active && row.active.is_some();
        let obj = if active { row.active.as_ref() } else { row.draft.as_ref() }?;
        let pending = if self.pv == PolicyVersion::Draft { row.pending } else { None };
        Some(self.obj(obj, pending))
    }

    /// An object as JSON text, from what was kept where it is still valid.
    pub fn obj(&self, obj: &Arc<Obj>, pending: Option<UpdateType>) -> Bytes {
        let shape = SHAPES.get(obj.kind as usize);
        if self.usage || resource::derives(obj.kind) {
            return self.render(obj, pending).into();
        }
        let shown = shape.map(|s| self.world.changes(s.expand.iter().map(|(k, _)| *k)));
        let features = self.world.changes(std::iter::once(Kind::OptionalFeatures));
        let of = (shown.unwrap_or_default() + features, self.variant(pending));
        if let Some(kept) = obj.rendered.load().as_ref()
            && kept.of == of
        {
            return kept.text.clone();
        }
        let text: Bytes = self.render(obj, pending).into();
        obj.rendered.store(Some(Arc::new(Rendered { of, text: text.clone() })));
        text
    }

    /// An object as a JSON value.
    pub fn value(&self, obj: &Arc<Obj>, pending: Option<UpdateType>) -> Value {
        serde_json::from_slice(&self.obj(obj, pending)).unwrap_or_default()
    }

    /// The href of an object in the version of this view.
    pub fn href(&self, obj: &Obj) -> String {
        let mut h = href_of(self.world, obj);
        if h.version.is_some() {
            h.version = Some(self.pv);
        }
        h.to_string()
    }

    fn render(&self, obj: &Obj, pending: Option<UpdateType>) -> Vec<u8> {
        let text = Vec::with_capacity(512);
        let mut out = Out { view: self, kind: obj.kind, text, derived: Vec::new() };
        out.text.extend_from_slice(b"{\"href\":");
        out.str(&self.href(obj));
        resource::derive(self, obj, &mut out);
        let derived = std::mem::take(&mut out.derived);
        out.fields(&obj.doc, &derived);
        let Some(shape) = SHAPES.get(obj.kind as usize) else { return out.text };
        for key in &shape.nulls {
            if obj.doc.get(key).is_none() && !derived.contains(key) {
                out.member(key, &Value::Null);
            }
        }
        if shape.versioned {
            out.member("update_type", &pending.map_or(Value::Null, |u| u.as_str().into()));
        }
        if shape.caps {
            let mut caps: Vec<Value> = Vec::new();
            if self.caps.write && self.side() == Side::Draft {
                caps.push("write".into());
                caps.extend(shape.more_caps.iter().map(|c| Value::from(*c)));
            }
            if self.caps.provision && shape.versioned && self.side() == Side::Draft {
                caps.push("provision".into());
            }
            out.member("caps", &caps.into());
        }
        out.text.push(b'}');
        out.text
    }
}

/// The JSON text of an object under construction.
pub struct Out<'a> {
    view: &'a View<'a>,
    kind: Kind,
    text: Vec<u8>,
    /// Members that hooks added; they stand for stored ones of the same name.
    derived: Vec<Key>,
}

impl Out<'_> {
    fn str(&mut self, s: &str) {
        // INVARIANT: writing to a Vec does not fail, and a str is always valid JSON text.
        let _ = serde_json::to_writer(&mut self.text, s);
    }

    /// Adds a member that is already JSON text.
    pub fn raw(&mut self, key: &str, json: &[u8]) {
        self.text.push(b',');
        self.str(key);
        self.text.push(b':');
        self.text.extend_from_slice(json);
        self.derived.push(intern(key));
    }

    /// Adds a member.
    pub fn member(&mut self, key: &str, value: &Value) {
        self.raw(key, value.to_string().as_bytes());
    }

    /// Adds a member that is a list of texts that are already JSON.
    pub fn list(&mut self, key: &str, items: impl Iterator<Item = Bytes>) {
        self.raw(key, &array(items));
    }

    fn fields(&mut self, doc: &Val, derived: &[Key]) {
        let hidden =
            SHAPES.get(self.kind as usize).map(|s| s.hidden.as_slice()).unwrap_or_default();
        for (key, value) in doc.entries() {
            let shut = hidden.iter().any(|(k, feature)| {
                k == key && !feature.is_some_and(|f| resource::feature_on(self.view.world, f))
            });
            if key.starts_with('_') || shut || derived.contains(key) {
                continue;
            }
            self.text.push(b',');
            self.str(key);
            self.text.push(b':');
            self.value(value);
        }
    }

    fn value(&mut self, v: &Val) {
        match v {
            Val::Null => self.text.extend_from_slice(b"null"),
            Val::Bool(b) => self.text.extend_from_slice(if *b { b"true" } else { b"false" }),
            Val::Int(i) => self.text.extend_from_slice(i.to_string().as_bytes()),
            Val::Float(f) => self.text.extend_from_slice(Value::from(*f).to_string().as_bytes()),
            Val::Str(s) => self.str(s),
            Val::Ref(k, i) => self.reference(*k, *i),
            Val::Arr(a) => {
                self.text.push(b'[');
                for (n, v) in a.iter().enumerate() {
                    if n > 0 {
                        self.text.push(b',');
                    }
                    self.value(v);
                }
                self.text.push(b']');
            }
            Val::Obj(m) => self.object(m),
        }
    }

    fn object(&mut self, m: &[(Key, Val)]) {
        self.text.push(b'{');
        for (n, (k, v)) in m.iter().enumerate() {
            if n > 0 {
                self.text.push(b',');
            }
            self.str(k);
            self.text.push(b':');
            self.value(v);
        }
        let target = m.iter().find_map(|(_, v)| match v {
            Val::Ref(k, i) => Some((*k, *i)),
            _ => None,
        });
        if let Some((kind, id)) = target {
            self.expand(m, kind, id);
        }
        self.text.push(b'}');
    }

    /// Adds what the descriptor shows of a referenced object.
    fn expand(&mut self, own: &[(Key, Val)], kind: Kind, id: Id) {
        let view = self.view;
        let shape = SHAPES.get(self.kind as usize);
        let Some((_, keys)) = shape.and_then(|s| s.expand.iter().find(|(k, _)| *k == kind)) else {
            return;
        };
        let target = view.world.on(view.side(), kind, id).or_else(|| view.world.get(kind, id));
        let Some(target) = target else { return };
        for key in keys.iter().filter(|k| !own.iter().any(|(o, _)| o == *k)) {
            self.text.push(b',');
            self.str(key);
            self.text.push(b':');
            match target.doc.get(key) {
                Some(v) => self.value(v),
                None if *key == "deleted" => self.text.extend_from_slice(b"false"),
                None => self.text.extend_from_slice(b"null"),
            }
        }
    }

    fn reference(&mut self, kind: Kind, id: Id) {
        let view = self.view;
        // Objects without sides refer to the active side: a binding to what is enforced.
        let pv = if self.kind.is_policy() { view.pv } else { PolicyVersion::Active };
        self.str(&href(view.world.org, pv, kind, id).to_string());
    }
}

/// A JSON array of texts that are already JSON.
pub fn array(items: impl Iterator<Item = Bytes>) -> Vec<u8> {
    let items: Vec<Bytes> = items.collect();
    let size: usize = items.iter().map(|i| i.len() + 1).sum();
    let mut out = Vec::with_capacity(size + 2);
    out.push(b'[');
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        out.extend_from_slice(item);
    }
    out.push(b']');
    out
}

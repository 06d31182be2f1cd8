//! Sixteen bytes that identify an object within its organisation and kind.

use uuid::Uuid;

/// The id of an object within its organisation and kind: an integer, a UUID, or a text.
///
/// Integers are stored as themselves (high half zero), UUIDs as their 128 bits, texts (SIDs, key ids,
/// role names) as the version 5 UUID of the text, so that every id compares, hashes and copies alike.
/// The three never meet within one kind, since a kind has one id style.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    hi: u64,
    lo: u64,
}

impl Id {
    /// The id of an object that exists once in its organisation (settings).
    pub const SINGLETON: Self = Self { hi: 0, lo: 0 };

    /// An integer id, as labels, rule sets, rules, services and IP lists have.
    pub const fn int(n: u64) -> Self {
        Self { hi: 0, lo: n }
    }

    /// A UUID id, as workloads, label groups and virtual services have.
    pub const fn uuid(u: Uuid) -> Self {
        let (hi, lo) = u.as_u64_pair();
        Self { hi, lo }
    }

    /// The id that stands for a text such as a SID; the text itself is kept with the object.
    pub fn text(s: &str) -> Self {
        Self::uuid(Uuid::new_v5(&Uuid::NAMESPACE_OID, s.as_bytes()))
    }

    /// The integer, where the id is one.
    pub const fn as_int(self) -> Option<u64> {
        if self.hi == 0 { Some(self.lo) } else { None }
    }

    /// The 128 bits as a UUID.
    pub const fn as_uuid(self) -> Uuid {
        Uuid::from_u64_pair(self.hi, self.lo)
    }

    /// The sixteen bytes, big endian: byte order equals id order.
    pub const fn to_bytes(self) -> [u8; 16] {
        (((self.hi as u128) << 64) | self.lo as u128).to_be_bytes()
    }

    /// The inverse of [`Id::to_bytes`].
    pub const fn from_bytes(b: [u8; 16]) -> Self {
        let n = u128::from_be_bytes(b);
        Self { hi: (n >> 64) as u64, lo: n as u64 }
    }
}

impl std::fmt::Debug for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.as_int() {
            Some(n) => write!(f, "{n}"),
            None => write!(f, "{}", self.as_uuid()),
        }
    }
}

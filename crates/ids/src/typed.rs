//! Hrefs whose kind is known at compile time.

use crate::{AnyHref, HrefError, Id, Kind, PolicyVersion};
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

/// A marker type that stands for a [`Kind`].
pub trait HrefKind {
    /// The kind it stands for.
    const KIND: Kind;
}

/// An href of one kind: parsing an href of another is [`HrefError::WrongKind`].
///
/// ```
/// use bulkhead_ids::{Href, PolicyVersion, kinds::IpList};
/// let list: Href<IpList> = "/orgs/1/sec_policy/draft/ip_lists/12".parse()?;
/// assert_eq!(list.version(), Some(PolicyVersion::Draft));
/// assert!("/orgs/1/labels/12".parse::<Href<IpList>>().is_err());
/// # Ok::<(), bulkhead_ids::HrefError>(())
/// ```
pub struct Href<K>(AnyHref, PhantomData<K>);

impl<K: HrefKind> Href<K> {
    /// The id within the kind.
    pub const fn id(&self) -> Id {
        self.0.id
    }

    /// The policy version, for policy objects.
    pub const fn version(&self) -> Option<PolicyVersion> {
        self.0.version
    }

    /// The href without its compile-time kind.
    pub const fn as_any(&self) -> &AnyHref {
        &self.0
    }
}

impl<K: HrefKind> FromStr for Href<K> {
    type Err = HrefError;
    fn from_str(s: &str) -> Result<Self, HrefError> {
        let any: AnyHref = s.parse()?;
        if any.kind == K::KIND { Ok(Self(any, PhantomData)) } else { Err(HrefError::WrongKind) }
    }
}

impl<K> fmt::Display for Href<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<K> fmt::Debug for Href<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<K> Clone for Href<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<K> PartialEq for Href<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K> Eq for Href<K> {}

macro_rules! markers {
    ($($name:ident)*) => {
        /// One marker type per kind that objects refer to.
        pub mod kinds {
            $(
                #[doc = concat!("Marker of [`crate::Kind::", stringify!($name), "`].")]
                #[derive(Clone, Copy, Debug, PartialEq, Eq)]
                pub enum $name {}
                impl super::HrefKind for $name {
                    const KIND: super::Kind = super::Kind::$name;
                }
            )*
        }
    };
}

markers! {
    ContainerCluster DenyRule EnforcementBoundary IpList IpTablesRule Label LabelDimension LabelGroup
    Network PairingProfile PolicyVersion RuleSet SecRule SecurityPrincipal Service ServiceAccount
    ServiceBinding User Ven VirtualServer VirtualService Workload
}

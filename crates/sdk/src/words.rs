//! Enumerations of the wire: known words as variants, unknown ones kept.

/// Declares an enumeration whose values are texts on the wire.
///
/// A word that is not listed becomes `Unknown` and is sent back as it came: newer servers know more.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident = $text:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$word_doc])* #[doc = concat!("`", $text, "`")] $word,)+
            /// A word that this version of the library does not know.
            Unknown(String),
        }

        impl $name {
            /// The known words, in the order of the API's documents.
            pub const ALL: &'static [Self] = &[$(Self::$word),+];

            /// The word on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$word => $text,)+
                    Self::Unknown(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            /// Letter case does not matter for known words.
            fn from(word: &str) -> Self {
                let known = Self::ALL.iter().find(|w| w.as_str().eq_ignore_ascii_case(word));
                known.cloned().unwrap_or_else(|| Self::Unknown(word.to_owned()))
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Error;
            /// Refuses unknown words, unlike [`From`].
            fn from_str(word: &str) -> $crate::Result<Self> {
                match Self::from(word) {
                    Self::Unknown(_) => {
                        let all: Vec<&str> = Self::ALL.iter().map(Self::as_str).collect();
                        let reason = format!("`{word}` is none of {}", all.join(", "));
                        Err($crate::Error::invalid(stringify!($name), reason))
                    }
                    known => Ok(known),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let word = std::borrow::Cow::<'de, str>::deserialize(from)?;
                Ok(Self::from(word.as_ref()))
            }
        }
    )+};
}

words! {
    /// How far policy is enforced on a workload.
    EnforcementMode {
        Idle = "idle",
        VisibilityOnly = "visibility_only",
        Full = "full",
        Selective = "selective",
    }
    /// State of a network interface.
    LinkState { Up = "up", Down = "down", Unspecified = "unknown", }
    /// How much traffic an agent reports.
    VisibilityLevel {
        FlowFullDetail = "flow_full_detail",
        FlowSummary = "flow_summary",
        FlowDrops = "flow_drops",
        FlowOff = "flow_off",
        EnhancedDataCollection = "enhanced_data_collection",
    }
    /// How packets of a flow are addressed.
    Transmission { Broadcast = "broadcast", Multicast = "multicast", Unicast = "unicast", }
    /// The side of a flow that reported it.
    FlowDirection { Inbound = "inbound", Outbound = "outbound", }
    /// State of a flow.
    TrafficState {
        Active = "active",
        Closed = "closed",
        TimedOut = "timed out",
        Snapshot = "snapshot",
        New = "new",
        Unspecified = "unknown",
        Incomplete = "incomplete",
    }
    /// Verdict of the policy on a flow.
    PolicyDecision {
        Allowed = "allowed",
        Blocked = "blocked",
        PotentiallyBlocked = "potentially_blocked",
        Unspecified = "unknown",
    }
    /// Where a virtual service takes effect.
    ApplyTo { HostOnly = "host_only", InternalBridgeNetwork = "internal_bridge_network", }
    /// Kind of an agent.
    VenType { Server = "server", Endpoint = "endpoint", Containerized = "containerized", }
    /// What an audit event did to an object.
    ChangeType { Create = "create", Update = "update", Delete = "delete", }
    /// Severity of an event.
    EventSeverity {
        Emergency = "emerg",
        Alert = "alert",
        Critical = "crit",
        Error = "err",
        Warning = "warning",
        Notice = "notice",
        Info = "info",
        Debug = "debug",
    }
    /// Outcome of what an event tells of.
    EventStatus { Success = "success", Failure = "failure", }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_words_survive_and_can_be_refused() {
        let read: Vec<EnforcementMode> = serde_json::from_str(r#"["FULL","quantum"]"#).unwrap();
        assert_eq!(read, [EnforcementMode::Full, EnforcementMode::Unknown("quantum".to_owned())]);
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"["full","quantum"]"#);
        let refusal = "quantum".parse::<EnforcementMode>().unwrap_err().to_string();
        assert_eq!(
            refusal,
            "invalid `EnforcementMode`: `quantum` is none of idle, visibility_only, full, selective"
        );
        assert_eq!("timed out".parse::<TrafficState>().unwrap(), TrafficState::TimedOut);
    }
}

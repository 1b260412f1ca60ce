//! The kinds of methods, outcomes and faults, each with its name in reports.

/// Makes an enumeration with all its variants in a list, each with its words.
macro_rules! kinds {
    ($(#[doc = $doc:literal])* $name:ident { $($variant:ident = $words:literal,)* }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum $name { $($variant,)* }

        impl $name {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            pub(crate) fn words(self) -> &'static str {
                match self { $(Self::$variant => $words,)* }
            }
        }
    };
}
pub(crate) use kinds;

kinds! {
    /// A method of the service, named as on the wire.
    Method {
        Echo = "echo",
        Nap = "nap",
        Pay = "pay",
        Look = "look",
        Note = "note",
        Remind = "remind",
    }
}

impl Method {
    /// Whether a call of it may run again.
    pub(crate) fn is_idempotent(self) -> bool {
        matches!(self, Self::Look | Self::Remind)
    }

    /// Whether its caller waits for the broker only.
    pub(crate) fn is_one_way(self) -> bool {
        matches!(self, Self::Note | Self::Remind)
    }
}

kinds! {
    /// How a call ended.
    Outcome {
        Answered = "the right value",
        Refused = "the service's own error",
        WrongValue = "a value of another call",
        Unencodable = "Encode",
        TooLarge = "TooLarge",
        NotConnected = "NotConnected",
        Blocked = "Blocked",
        NoSuchMethod = "NoSuchMethod",
        Overloaded = "Overloaded",
        Expired = "Expired",
        Rejected = "Rejected",
        NotSentInTime = "Timeout, not sent",
        Stopped = "Timeout, stopped by its server",
        TimedOut = "Timeout",
        LostUnsent = "ConnectionLost, not sent",
        Lost = "ConnectionLost, sent",
        Interrupted = "Interrupted",
        Poisoned = "rpc.Poisoned",
        Remote = "another error of a server",
        Undecodable = "Decode",
        Closed = "Closed",
        Unknown = "an error that the soak does not know",
    }
}

impl Outcome {
    /// Whether it claims that the call did not run, whatever happened.
    pub(crate) fn excludes_a_run(self) -> bool {
        matches!(
            self,
            Self::Unencodable
                | Self::TooLarge
                | Self::NotConnected
                | Self::Blocked
                | Self::NoSuchMethod
                | Self::Overloaded
                | Self::NotSentInTime
                | Self::LostUnsent
        )
    }

    /// Whether it claims that the call ran.
    pub(crate) fn needs_a_run(self) -> bool {
        matches!(self, Self::Answered | Self::Refused | Self::Stopped)
    }

    /// Whether it is for lack of time, so that it must not come before the deadline.
    pub(crate) fn is_for_lack_of_time(self) -> bool {
        matches!(
            self,
            Self::NotConnected
                | Self::Blocked
                | Self::Overloaded
                | Self::Expired
                | Self::NotSentInTime
                | Self::Stopped
                | Self::TimedOut
        )
    }

    /// Whether no call of the soak may end so: its calls are well-formed, nobody rejects them, no
    /// client is closed before its calls have ended, and none is made to fail fast.
    pub(crate) fn is_never_right(self) -> bool {
        matches!(
            self,
            Self::WrongValue
                | Self::Unencodable
                | Self::TooLarge
                | Self::Rejected
                | Self::LostUnsent
                | Self::Remote
                | Self::Undecodable
                | Self::Closed
                | Self::Unknown
        )
    }
}

kinds! {
    /// What was done to them.
    FaultKind {
        KillServer = "server killed",
        StopServer = "server asked to leave",
        KillClient = "client killed",
        PauseServer = "server stopped for a while",
        PauseBroker = "broker stopped for a while",
        CutClients = "connections of the clients reset",
        CutServers = "connections of the servers reset",
        FreezeClients = "network of the clients frozen",
        FreezeServers = "network of the servers frozen",
        SilenceClients = "network of the clients frozen until connections counted as lost",
        SilenceServers = "network of the servers frozen until connections counted as lost",
        RefuseClients = "clients cut off and refused",
        RefuseServers = "servers cut off and refused",
        KillBroker = "broker killed and started again",
        Alarm = "memory alarm",
        DeleteReplyQueue = "reply queue deleted",
        CloseConnections = "all connections closed by the broker",
    }
}

impl FaultKind {
    /// Whether it takes connections from clients, so that an idempotent call may be sent once more.
    pub(crate) fn takes_clients_connections(self) -> bool {
        matches!(
            self,
            Self::CutClients
                | Self::SilenceClients
                | Self::RefuseClients
                | Self::KillBroker
                | Self::DeleteReplyQueue
                | Self::CloseConnections
        )
    }

    /// How many servers that have taken calls are lost with it, with their process or their
    /// connection.
    pub(crate) fn servers_lost(self) -> usize {
        match self {
            Self::KillServer => 1,
            Self::CutServers
            | Self::SilenceServers
            | Self::RefuseServers
            | Self::KillBroker
            | Self::CloseConnections => SERVERS,
            _ => 0,
        }
    }
}

/// How many servers there are at a time, without those that leave.
pub(crate) const SERVERS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_outcome_claims_that_a_call_ran_and_did_not() {
        for outcome in Outcome::ALL {
            assert!(
                !(outcome.needs_a_run() && outcome.excludes_a_run()),
                "{outcome:?}"
            );
        }
    }
}

//! Which points are measured, and in which order.

use serde::{Deserialize, Serialize};

use crate::load::Load;
use crate::options::Options;
use crate::peer::{Layout, Peer};

/// What is measured once in a round.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Point {
    pub(crate) peer: Peer,
    pub(crate) layout: Layout,
    /// The length of the echoed text, in bytes; there is none in the layout `naps`.
    pub(crate) payload: usize,
    #[serde(flatten)]
    pub(crate) load: Load,
}

/// Points that differ only in the peer. They are measured one after another, so that a temporary
/// load on the machine affects all of them.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) layout: Layout,
    pub(crate) payload: usize,
    pub(crate) callers: usize,
    pub(crate) points: Vec<Point>,
}

impl Group {
    pub(crate) fn words(&self) -> String {
        let Self {
            layout,
            payload,
            callers,
            ..
        } = self;
        format!("{layout}, {payload} B, {callers} callers")
    }
}

/// The groups of one round.
pub(crate) fn round(options: &Options) -> Vec<Group> {
    let mut groups = Vec::new();
    for &layout in &options.layouts {
        let (payloads, callers) = match layout {
            Layout::Naps => (&[0][..], &[NAPPERS][..]),
            Layout::Together | Layout::Apart => (&options.payloads[..], &options.callers[..]),
        };
        for &payload in payloads {
            for &callers in callers {
                let load = Load {
                    callers,
                    seconds: options.seconds,
                };
                let peers = options.peers.iter().copied();
                let points: Vec<_> = peers
                    .filter(|peer| peer.knows(layout))
                    .map(|peer| Point {
                        peer,
                        layout,
                        payload,
                        load,
                    })
                    .collect();
                if !points.is_empty() {
                    groups.push(Group {
                        layout,
                        payload,
                        callers,
                        points,
                    });
                }
            }
        }
    }
    groups
}

/// The number of callers of slow handlers.
pub(crate) const NAPPERS: usize = 100;

//! `zones` of an upstream: which endpoints are near.

use super::maps::Map;
use super::values::Zone;
use crate::config::units::Number;

table! {
    /// How requests are spread over the zones that the endpoints name. The proxy's own zone (`server.zone`) gets all of
    /// them while it has the capacity; as its endpoints are lost (down, ejected, draining, or a name without an address)
    /// the rest of its share goes to the other zones by their weights. The share that stays is the part of its weights
    /// that is well, times `overprovision_percent`: of two endpoints one is lost, and 70 of 100 requests stay. It comes
    /// before `balance`, which chooses within a zone; only a client that `sticky` binds goes to its endpoint wherever that
    /// is, and one that a retry has left goes on to another zone when its own has no other endpoint.
    Zones as "upstream.zones" => {
        /// The shares of zones beside each other, by name. Left out: the sum of the weights of its endpoints. The own
        /// zone's counts only without `prefer_own`.
        optional weights: Map<Zone, Number<1, 1000>>,
        /// Whether the own zone comes first. `false`, or a proxy in none of the endpoints' zones: all zones get shares
        /// by their weights.
        default(true) prefer_own: bool,
        /// How much more than its usual share a well endpoint can take, in percent: at 140 a zone gives nothing away
        /// until less than 71 of 100 of its weights are well. 100: each endpoint that is lost moves its share.
        default(140) overprovision_percent: Number<100, 1000>,
    }
}

//! The main file and all that it includes, as one.

use super::file::issuer::Issuer;
use super::file::route::Route;
use super::file::site::Site;
use super::file::upstream::Upstream;
use super::file::{Admin, Listener, Log, Server};
use super::read::At;

/// All files as one.
#[derive(Default)]
pub(super) struct Whole {
    pub(super) server: Option<At<Server>>,
    pub(super) admin: Option<At<Admin>>,
    pub(super) log: Option<At<Log>>,
    pub(super) listeners: Vec<(At<String>, Listener)>,
    pub(super) sites: Vec<(At<String>, Site)>,
    pub(super) upstreams: Vec<(At<String>, Upstream)>,
    pub(super) issuers: Vec<(At<String>, Issuer)>,
    pub(super) routes: Vec<At<Route>>,
    /// Whether any file has listeners or routes, right or wrong.
    pub(super) has_listeners: bool,
    pub(super) has_routes: bool,
}

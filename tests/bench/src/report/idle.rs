//! The table of idle connections.

use super::labels::Labels;
use super::verdict::Verdicts;
use crate::idle::Idle;
use crate::server::Kind;

pub(super) const HEAD: &str = "\
Memory of an idle connection after one forwarded request: growth of the resident memory of a fresh server, divided.

| what | server | kB each (1,000 bytes) | ratio | target |
|---|---|---|---|---|
";

pub(super) fn rows(idle: &Idle, kilobytes: &[(Kind, f64)], labels: &Labels, verdicts: &mut Verdicts) -> String {
    let mut ours = None;
    let row = |(kind, each): &(Kind, f64)| {
        let is_ours = *kind == Kind::Portcullis;
        if is_ours {
            ours = Some(*each);
        }
        let peers = ours.filter(|_| !is_ours).map(|ours| ours / each);
        let compared =
            peers.map(|ratio| verdicts.compare(&format!("{}, kB against {}", idle.name, labels.server(*kind)), ratio));
        format!(
            "| {} | {} | {each:.2} | {} | {} |\n",
            if is_ours { format!("{}: {}", idle.name, idle.what) } else { String::new() },
            labels.server(*kind),
            compared.unwrap_or_default(),
            verdicts.judge(&format!("{}, kB", idle.name), *each, is_ours.then_some(idle.kb_max)),
        )
    };
    kilobytes.iter().map(row).collect()
}

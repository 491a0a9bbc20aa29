//! What the kernel says about the machine.

use std::ffi::OsStr;
use std::fs;
use std::process::Command;
use std::time::Duration;

/// Who runs where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    pub(crate) server: usize,
    pub(crate) load: usize,
}

/// How long a core has worked since the start of the machine, for whomever, a hypervisor's other guests included.
pub(crate) fn busy(core: usize) -> Option<Duration> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    busy_ticks(&stat, core)
        .map(|ticks| Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100))
}

/// `cpu0 user nice system idle iowait irq softirq steal ...` (proc(5)).
fn busy_ticks(stat: &str, core: usize) -> Option<u64> {
    let name = format!("cpu{core} ");
    let line = stat.lines().find_map(|line| line.strip_prefix(&name))?;
    let ticks: Vec<u64> = line.split_ascii_whitespace().map_while(|number| number.parse().ok()).collect();
    [0, 1, 2, 5, 6, 7].iter().map(|&index| ticks.get(index)).sum()
}

/// Model and number of the cores.
pub(crate) fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = info.lines().filter(|line| line.starts_with("processor")).count();
    format!("{count} cores, {}", model.map_or("unknown model", |(_, model)| model))
}

/// The kernel's release.
pub(crate) fn kernel() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").map_or_else(|_| "unknown".into(), |text| text.trim().to_owned())
}

/// How TCP finds its pace. Large answers depend on it: bbr sets timers, which cost a virtual machine much.
pub(crate) fn congestion_control() -> String {
    fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control")
        .map_or_else(|_| "unknown".into(), |text| text.trim().to_owned())
}

/// What a program says; `None` where it is not installed.
pub(crate) fn said(program: &OsStr, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// The first line of it, for a version.
pub(crate) fn first_line(program: &OsStr, argument: &str) -> Option<String> {
    said(program, argument)?.lines().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_and_waiting_for_disks_is_not_busy() {
        let stat = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 1 2 4 1000 1000 8 16 32 0 0\ncpu1 0 0 0 5 5 0 0 0 0 0\n";
        assert_eq!(busy_ticks(stat, 0), Some(63));
        assert_eq!(busy_ticks(stat, 1), Some(0));
        assert_eq!(busy_ticks(stat, 2), None);
    }
}

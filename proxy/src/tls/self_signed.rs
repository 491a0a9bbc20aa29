//! Certificates for development: made at the first start, kept below `server.state`, made anew when the site's hosts
//! change or the old one ages.

use crate::config::Site;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Browsers refuse certificates that are valid for longer than 398 days.
const VALID_FOR: Duration = Duration::from_secs(397 * 24 * 3600);
/// Made anew after this time, long before it ends.
const RENEWED_AFTER: Duration = Duration::from_secs(300 * 24 * 3600);

pub(super) struct SelfSigned {
    pub(super) file: PathBuf,
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
}

pub(super) fn load_or_make(site: &Site, state: &Path) -> io::Result<SelfSigned> {
    let hosts = host_names(site);
    let file = state.join(format!("self-signed-{}.pem", site.name));
    let key_file = state.join(format!("self-signed-{}.key", site.name));
    let hosts_file = state.join(format!("self-signed-{}.hosts", site.name));
    if is_young(&file) && fs::read_to_string(&hosts_file).is_ok_and(|kept| kept == hosts.join("\n")) {
        return Ok(SelfSigned { certificate: fs::read(&file)?, key: fs::read(&key_file)?, file });
    }
    fs::create_dir_all(state)?;
    let (certificate, key) = make(&hosts).map_err(io::Error::other)?;
    write_private(&key_file, key.as_bytes())?;
    write_private(&file, certificate.as_bytes())?;
    // Last: without it the next start makes all three anew, so a crash between leaves no mismatched pair in use.
    write_private(&hosts_file, hosts.join("\n").as_bytes())?;
    tracing::info!(file = %file.display(), hosts = hosts.join(" "), "made a self-signed certificate for development");
    Ok(SelfSigned { file, certificate: certificate.into_bytes(), key: key.into_bytes() })
}

fn host_names(site: &Site) -> Vec<String> {
    let local = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    if site.hosts.is_empty() { local.to_vec() } else { site.hosts.clone() }
}

fn is_young(file: &Path) -> bool {
    let modified = fs::metadata(file).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age < RENEWED_AFTER))
}

fn make(hosts: &[String]) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(hosts)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "Portcullis development certificate");
    params.distinguished_name = name;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let now = SystemTime::now();
    params.not_before = (now - Duration::from_secs(3600)).into();
    params.not_after = (now + VALID_FOR).into();
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// Mode 0600 and never half written under its name.
fn write_private(path: &Path, contents: &[u8]) -> io::Result<()> {
    let part = path.with_extension(format!("part-{}", std::process::id()));
    let _ = fs::remove_file(&part);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&part, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_certificate_is_kept_until_the_hosts_change() {
        let state = tempfile::tempdir().expect("a directory");
        let mut site = Site { name: "main".into(), ..Site::default() };
        let first = load_or_make(&site, state.path()).expect("made");
        assert_eq!(load_or_make(&site, state.path()).expect("kept").certificate, first.certificate);
        let mode = fs::metadata(state.path().join("self-signed-main.key")).expect("the key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        site.hosts.push("example.test".into());
        assert_ne!(load_or_make(&site, state.path()).expect("made anew").certificate, first.certificate);
    }
}

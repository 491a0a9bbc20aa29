//! The key that a proof brings along, and its thumbprint (RFC 7638).
//!
//! It is the sender's own, so it is treated as what it is: any bytes. It becomes worth something by its thumbprint
//! alone, which the token's issuer has signed.

use super::fault::ProofFault;
use crate::auth::keys::jwk;
use crate::auth::keys::record::KeyRecord;
use crate::auth::object;
use crate::config::Algorithm;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Members that only secret keys have (RFC 7518 sections 6.2.2, 6.3.2 and 6.4).
const SECRET_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Letters of the longest modulus: 4096 bits. Issuers' keys may have 8192, but these are chosen by clients, who could
/// make each of their requests cost four times as much.
const MODULUS_LETTERS_MAX: usize = 683;

/// The key of a proof, which its signature must be made with.
#[derive(Debug)]
pub(super) struct ProofKey {
    /// Ready to check the signature.
    pub(super) record: KeyRecord,
    /// The SHA-256 thumbprint in base64url.
    pub(super) thumbprint: String,
}

/// A header, of which only the key's own text counts: its members must be distinct too.
#[derive(Deserialize)]
struct Embedded<'h> {
    #[serde(borrow)]
    jwk: &'h RawValue,
}

/// Reads the `jwk` of a header.
pub(super) fn read(header: &[u8], algorithm: Algorithm) -> Result<ProofKey, ProofFault> {
    let Embedded { jwk } = serde_json::from_slice(header).map_err(|_| ProofFault::KeyMissing)?;
    let members = object::parse(jwk.get().as_bytes()).map_err(|_| ProofFault::KeyMissing)?;
    if SECRET_MEMBERS.iter().any(|name| members.contains_key(*name)) {
        return Err(ProofFault::KeyPrivate);
    }
    if text(&members, "n").is_some_and(|modulus| modulus.len() > MODULUS_LETTERS_MAX) {
        return Err(ProofFault::Key);
    }
    let thumbprint = thumbprint(&members).ok_or(ProofFault::Key)?;
    let record = jwk::load_embedded(&Value::Object(members), algorithm)?;
    Ok(ProofKey { record, thumbprint })
}

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Option<&'m str> {
    members.get(name).and_then(Value::as_str)
}

/// The members that make the key, in the order of their names, without a space (RFC 7638 section 3.2).
fn thumbprint(members: &Map<String, Value>) -> Option<String> {
    let kty = text(members, "kty")?;
    let names: &[&str] = match kty {
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        "RSA" => &["e", "kty", "n"],
        _ => return None,
    };
    let pairs: Option<Vec<_>> =
        names.iter().map(|name| Some(format!("\"{name}\":{}", Value::from(text(members, name)?)))).collect();
    let json = format!("{{{}}}", pairs?.join(","));
    Some(URL_SAFE_NO_PAD.encode(digest(&SHA256, json.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprints_are_those_of_the_standards() {
        for (jwk, expected) in [
            // RFC 7638 section 3.1.
            (
                r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#,
                "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            ),
            // RFC 8037 appendix A.3.
            (
                r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
                "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            ),
            // RFC 9449 section 6.1.
            (
                r#"{"y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","crv":"P-256","kty":"EC"}"#,
                "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
            ),
        ] {
            let members = object::parse(jwk.as_bytes()).expect("an object");
            assert_eq!(thumbprint(&members).as_deref(), Some(expected));
        }
    }
}

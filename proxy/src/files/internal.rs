//! Files that an application hands over by `X-Accel-Redirect`: it has decided who may read them and what they are, the
//! proxy sends the bytes.

use super::disposition;
use super::error::FileError;
use super::representation::Representation;
use super::validators::{EntityTag, LastModified, Validators};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL,
    CONTENT_DISPOSITION, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, EXPIRES, LAST_MODIFIED,
    REFERRER_POLICY, SET_COOKIE, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Names and values that may be taken from one answer of an application: 16 KiB.
pub const FIELDS_BYTES_MAX: usize = 16 * 1024;

/// What the application says about a file. Everything else of its answer describes a body that is not sent
/// (`Content-Length`, `Content-Encoding`) or the connection.
static TAKEN: [HeaderName; 13] = [
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    CACHE_CONTROL,
    CONTENT_DISPOSITION,
    CONTENT_LANGUAGE,
    CONTENT_SECURITY_POLICY,
    CONTENT_TYPE,
    EXPIRES,
    HeaderName::from_static("cross-origin-resource-policy"),
    REFERRER_POLICY,
    SET_COOKIE,
    VARY,
];

/// The file as the application wants it answered. Its validators replace the file's, so that conditions and ranges
/// are about what the application calls a version.
///
/// # Errors
/// [`FileError::FieldsTooLarge`]: leaving some out could leave out the ones that protect.
pub(super) fn apply(file: &Representation, application: &HeaderMap) -> Result<Representation, FileError> {
    let mut representation = file.clone();
    // Someone had to ask the application: nobody else may keep the answer unless it says so.
    representation.headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    let mut bytes = 0;
    for name in &TAKEN {
        let mut values = application.get_all(name).iter();
        let Some(first) = values.next() else { continue };
        bytes += name.as_str().len() + first.len();
        representation.headers.insert(name, first.clone());
        for value in values {
            bytes += name.as_str().len() + value.len();
            representation.headers.append(name, value.clone());
        }
        if bytes > FIELDS_BYTES_MAX {
            return Err(FileError::FieldsTooLarge);
        }
    }
    let mut dispositions = representation.headers.get_all(CONTENT_DISPOSITION).iter();
    if let Some(first) = dispositions.next()
        && (dispositions.next().is_some() || !disposition::is_sound(first))
    {
        representation.headers.insert(CONTENT_DISPOSITION, disposition::PLAIN);
    }
    let etag = application.get(ETAG).and_then(|value| EntityTag::parse(value.clone()));
    let last_modified = application.get(LAST_MODIFIED).and_then(LastModified::parse);
    if etag.is_some() || last_modified.is_some() {
        let own = representation.validators;
        // Without the application's date the file's stays: it is a fact. A tag of our own beside its date does not.
        representation.validators = Validators { etag, last_modified: last_modified.or(own.last_modified) };
    }
    representation.write_validators();
    Ok(representation)
}

#[cfg(test)]
mod tests {
    use super::super::cache_control::{Audience, CachePolicy};
    use super::super::representation::Content;
    use super::*;
    use bytes::Bytes;
    use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, X_CONTENT_TYPE_OPTIONS};

    fn file() -> Representation {
        let policy = CachePolicy::of_audience(Audience::Everyone);
        let validators =
            Validators { etag: EntityTag::parse(HeaderValue::from_static("\"file\"")), last_modified: None };
        Representation::new("digest", validators, Content::Memory(Bytes::from_static(b"hello")), &policy)
    }

    fn application(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(name.clone(), HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn the_application_says_what_the_file_is() {
        let fields = application(&[
            (CONTENT_TYPE, "image/png"),
            (CONTENT_DISPOSITION, "attachment; filename=\"a.png\""),
            (ETAG, "\"digest\""),
            (CONTENT_SECURITY_POLICY, "sandbox"),
            (SET_COOKIE, "a=1"),
            (SET_COOKIE, "b=2"),
            (CONTENT_LENGTH, "0"),
            (CONTENT_ENCODING, "gzip"),
            (HeaderName::from_static("x-accel-redirect"), "/secret/place"),
        ]);
        let headers = apply(&file(), &fields).expect("fields").headers;
        assert_eq!(headers[CONTENT_TYPE], "image/png");
        assert_eq!(headers[ETAG], "\"digest\"");
        assert_eq!(headers[CONTENT_SECURITY_POLICY], "sandbox");
        assert_eq!(headers.get_all(SET_COOKIE).iter().count(), 2);
        assert_eq!(headers[CONTENT_LENGTH], "5");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(!headers.contains_key(CONTENT_ENCODING) && !headers.contains_key("x-accel-redirect"));
    }

    #[test]
    fn a_disposition_that_is_not_sound_is_a_plain_attachment() {
        for value in ["inline; filename*=UTF-8''a%0ab", "inline; filename=\"a"] {
            let headers = apply(&file(), &application(&[(CONTENT_DISPOSITION, value)])).expect("fields").headers;
            assert_eq!(headers[CONTENT_DISPOSITION], "attachment", "{value}");
        }
        let twice = application(&[(CONTENT_DISPOSITION, "inline"), (CONTENT_DISPOSITION, "inline")]);
        assert_eq!(apply(&file(), &twice).expect("fields").headers[CONTENT_DISPOSITION], "attachment");
    }

    #[test]
    fn an_answer_without_a_policy_stays_private() {
        let representation = apply(&file(), &HeaderMap::new()).expect("fields");
        assert_eq!(representation.headers[CACHE_CONTROL], "private, no-cache");
        assert_eq!(representation.headers[ETAG], "\"file\"");
    }

    #[test]
    fn a_malformed_tag_of_the_application_is_not_used() {
        let representation = apply(&file(), &application(&[(ETAG, "digest")])).expect("fields");
        assert_eq!(representation.headers[ETAG], "\"file\"");
    }

    #[test]
    fn a_date_of_the_application_replaces_our_tag() {
        let fields = application(&[(LAST_MODIFIED, "Sun, 06 Nov 1994 08:49:37 GMT")]);
        let representation = apply(&file(), &fields).expect("fields");
        assert!(!representation.headers.contains_key(ETAG));
        assert_eq!(representation.headers[LAST_MODIFIED], "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn too_many_fields_are_refused_as_a_whole() {
        let mut fields = HeaderMap::new();
        for _ in 0..20 {
            fields.append(SET_COOKIE, HeaderValue::try_from("x".repeat(1000)).expect("value"));
        }
        assert_eq!(apply(&file(), &fields).err(), Some(FileError::FieldsTooLarge));
    }
}

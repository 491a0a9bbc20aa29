//! From the bytes of a request path to a name below a root: decoded once, checked, never re-assembled from parts.
//!
//! This is one of two walls: what passes here holds no `..`, no slash that was hidden in an escape and nothing that
//! another operating system would read as a separator. The other wall is the kernel, see [`super::open`].

use percent_encoding::percent_decode_str;
use std::borrow::Cow;

#[cfg(test)]
pub(super) mod hostile;
#[cfg(test)]
mod tests;

/// The longest name below a root, in bytes: Linux' `PATH_MAX` without its NUL.
const PATH_BYTES_MAX: usize = 4095;

/// The one hidden name that is meant for the public (RFC 8615).
const WELL_KNOWN: &str = ".well-known";

/// Why a path names no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathRefusal {
    /// It does not begin with `/` (`*`, an absolute URI).
    #[error("the path does not begin with a slash")]
    NotAbsolute,
    /// `%` without two hexadecimal digits.
    #[error("the path has a broken percent-encoding")]
    BadEscape,
    /// The decoded bytes are no UTF-8, which includes overlong forms and surrogates.
    #[error("the path is not UTF-8")]
    NotUtf8,
    /// NUL, other C0 and C1 controls, DEL.
    #[error("the path has a control character")]
    ControlCharacter,
    /// `%2F`: whether it separates is a matter of opinion, so it is refused.
    #[error("the path has an encoded slash")]
    EncodedSlash,
    /// `\`, plain or encoded: a separator to Windows and to browsers.
    #[error("the path has a backslash")]
    Backslash,
    /// `.`, `..` and their disguises (`..;x`, `...`, `.. `).
    #[error("the path has a dot segment")]
    DotSegment,
    /// `C:`, `C|`, `name::$DATA`.
    #[error("the path names a drive or a stream")]
    Drive,
    /// A name that begins with a dot, except [`.well-known`](https://www.rfc-editor.org/rfc/rfc8615).
    #[error("the path names a hidden file")]
    Hidden,
    /// `//`: another spelling of a path, and at the start another host when it is sent back in `Location`.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// Longer than any file's name can be.
    #[error("the path is longer than {PATH_BYTES_MAX} bytes")]
    TooLong,
    /// It is not below the prefix that the route strips.
    #[error("the path is outside the route's prefix")]
    OutsidePrefix,
}

impl PathRefusal {
    /// Whether the path is well-formed and just names nothing that is served (404) instead of being malformed (400).
    #[must_use]
    pub const fn is_not_found(self) -> bool {
        match self {
            Self::Hidden | Self::EmptySegment | Self::TooLong | Self::OutsidePrefix => true,
            Self::NotAbsolute
            | Self::BadEscape
            | Self::NotUtf8
            | Self::ControlCharacter
            | Self::EncodedSlash
            | Self::Backslash
            | Self::DotSegment
            | Self::Drive => false,
        }
    }
}

/// Whether names that begin with a dot may be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HiddenNames {
    /// Only below `.well-known`.
    Refused,
    /// All: the path came from the application, not from a client.
    Allowed,
}

/// A checked name below a root: segments between single slashes, without a slash at either end; empty for the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RelativePath {
    text: String,
    final_slash: bool,
}

impl RelativePath {
    /// Maps the raw path of a request. `prefix` holds the decoded segments that are cut off first.
    ///
    /// # Errors
    /// When the path is malformed, ambiguous or names nothing that is served.
    pub(super) fn parse(raw: &str, prefix: &[Box<str>], hidden: HiddenNames) -> Result<Self, PathRefusal> {
        let mut segments = raw.strip_prefix('/').ok_or(PathRefusal::NotAbsolute)?.split('/').peekable();
        let mut prefix = prefix.iter();
        let mut path = Self { text: String::with_capacity(raw.len()), final_slash: false };
        while let Some(segment) = segments.next() {
            if segment.is_empty() {
                if segments.peek().is_some() {
                    return Err(PathRefusal::EmptySegment);
                }
                path.final_slash = true;
                break;
            }
            let name = decode(segment)?;
            check(&name)?;
            match prefix.next() {
                Some(expected) if **expected == *name => {}
                Some(_) => return Err(PathRefusal::OutsidePrefix),
                None => path.push(&name, hidden)?,
            }
        }
        if prefix.next().is_some() {
            return Err(PathRefusal::OutsidePrefix);
        }
        Ok(path)
    }

    /// Takes a name from the configuration (an index, a fallback): not decoded, otherwise held to the same rules.
    ///
    /// # Errors
    /// When the name could leave the root or is no file name.
    pub(super) fn from_plain(text: &str) -> Result<Self, PathRefusal> {
        let mut path = Self { text: String::with_capacity(text.len()), final_slash: false };
        for name in text.strip_prefix('/').unwrap_or(text).split('/') {
            if name.is_empty() {
                return Err(PathRefusal::EmptySegment);
            }
            check(name)?;
            path.push(name, HiddenNames::Allowed)?;
        }
        Ok(path)
    }

    /// This directory's file `name`.
    pub(super) fn join(&self, name: &Self) -> Self {
        let mut text = String::with_capacity(self.text.len() + 1 + name.text.len());
        text.push_str(&self.text);
        if !text.is_empty() {
            text.push('/');
        }
        text.push_str(&name.text);
        Self { text, final_slash: false }
    }

    /// The file beside this one whose name has `extension` behind it.
    pub(super) fn beside(&self, extension: &str) -> Self {
        Self { text: format!("{}{extension}", self.text), final_slash: false }
    }

    /// The name below the root.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The last segment.
    pub(super) fn file_name(&self) -> &str {
        self.text.rsplit_once('/').map_or(self.text.as_str(), |(_, name)| name)
    }

    /// Whether the path ended in a slash and so names a directory.
    pub(super) const fn final_slash(&self) -> bool {
        self.final_slash
    }

    /// Whether the last segment has a file extension, as scripts, styles and pictures do and the addresses of a
    /// single-page application don't. `v1.2` has none.
    pub(super) fn looks_like_asset(&self) -> bool {
        !self.final_slash
            && self.file_name().rsplit_once('.').is_some_and(|(_, extension)| {
                (1..=12).contains(&extension.len())
                    && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
                    && extension.bytes().any(|byte| byte.is_ascii_alphabetic())
            })
    }

    fn push(&mut self, name: &str, hidden: HiddenNames) -> Result<(), PathRefusal> {
        let is_well_known = self.text.is_empty() && name == WELL_KNOWN;
        if hidden == HiddenNames::Refused && name.starts_with('.') && !is_well_known {
            return Err(PathRefusal::Hidden);
        }
        if !self.text.is_empty() {
            self.text.push('/');
        }
        self.text.push_str(name);
        if self.text.len() > PATH_BYTES_MAX {
            return Err(PathRefusal::TooLong);
        }
        Ok(())
    }
}

/// Whether a raw path escapes only what needs it, in upper case. Other spellings of the same file are served but not
/// kept in memory: there are too many of them.
pub(super) fn is_plainly_spelled(raw: &str) -> bool {
    raw.split('%').skip(1).all(|escape| {
        let [high, low, ..] = escape.as_bytes() else { return false };
        let is_upper = |digit: &u8| matches!(digit, b'0'..=b'9' | b'A'..=b'F');
        let is_unreserved = matches!(
            (high, low),
            (b'3', b'0'..=b'9')
                | (b'4' | b'6', b'1'..=b'9' | b'A'..=b'F')
                | (b'5' | b'7', b'0'..=b'9' | b'A')
                | (b'2', b'D' | b'E')
                | (b'5', b'F')
                | (b'7', b'E')
        );
        is_upper(high) && is_upper(low) && !is_unreserved
    })
}

/// Decodes one segment, once: what looks encoded afterwards is part of the name.
fn decode(segment: &str) -> Result<Cow<'_, str>, PathRefusal> {
    let is_escape = |rest: &str| {
        let digits = rest.as_bytes();
        digits.len() >= 2 && digits[0].is_ascii_hexdigit() && digits[1].is_ascii_hexdigit()
    };
    if !segment.split('%').skip(1).all(is_escape) {
        return Err(PathRefusal::BadEscape);
    }
    percent_decode_str(segment).decode_utf8().map_err(|_| PathRefusal::NotUtf8)
}

/// The rules for one decoded segment.
fn check(name: &str) -> Result<(), PathRefusal> {
    if name.contains(char::is_control) {
        return Err(PathRefusal::ControlCharacter);
    }
    if name.contains('/') {
        return Err(PathRefusal::EncodedSlash);
    }
    if name.contains('\\') {
        return Err(PathRefusal::Backslash);
    }
    // Servlet containers cut at `;` and Windows at trailing dots and spaces: to them these are all `..`.
    let bare = name.split(';').next().unwrap_or(name);
    if bare.starts_with('.') && bare.trim_end_matches(['.', ' ']).is_empty() {
        return Err(PathRefusal::DotSegment);
    }
    let is_drive = matches!(name.as_bytes(), [letter, b':', ..] | [letter, b'|'] if letter.is_ascii_alphabetic());
    if is_drive || name.contains("::$") {
        return Err(PathRefusal::Drive);
    }
    Ok(())
}

//! Who may have an account, and what an account is.

use jiff::Timestamp;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The shortest user name, in characters.
pub const USERNAME_CHARS_MIN: usize = 3;
/// The longest user name, in characters.
pub const USERNAME_CHARS_MAX: usize = 32;
/// The shortest password, in characters (NIST SP 800-63B section 3.1.1.2).
pub const PASSWORD_CHARS_MIN: usize = 8;
/// The longest password, in characters: long enough for a pass phrase, too short to make hashing expensive.
pub const PASSWORD_CHARS_MAX: usize = 128;

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Owns and shares notes.
    User,
    /// Also lists and disables users.
    Admin,
}

impl Role {
    /// The name in the store and in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A role's name that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role {0:?}")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        match text {
            "user" => Ok(Self::User),
            "admin" => Ok(Self::Admin),
            other => Err(UnknownRole(other.to_owned())),
        }
    }
}

/// One account, without its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id that tokens name as subject, a version 7 UUID (RFC 9562 section 5.7).
    pub id: Uuid,
    /// The name as it was chosen.
    pub username: Username,
    /// What the account may do.
    pub role: Role,
    /// Whether the account may sign in and use its tokens.
    pub active: bool,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When tokens were last obtained with the password.
    pub last_login: Option<Timestamp>,
}

/// Why a user name or a password is refused. The text is shown beside the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The name is too short or too long.
    #[error("A user name has {USERNAME_CHARS_MIN} to {USERNAME_CHARS_MAX} characters.")]
    UsernameLength,
    /// The name has a character that is not allowed.
    #[error("A user name has only letters and digits of the Latin alphabet, '_', '.' and '-'.")]
    UsernameCharacters,
    /// The password is too short or too long.
    #[error("A password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters.")]
    PasswordLength,
    /// The password begins or ends with white space, which the token service strips as simplejwt does.
    #[error("A password neither begins nor ends with white space.")]
    PasswordPadded,
    /// The password has a null character, which the token service refuses as simplejwt does.
    #[error("A password has no null characters.")]
    PasswordNull,
    /// The password is the user name.
    #[error("A password must differ from the user name.")]
    PasswordIsUsername,
}

/// A user name that follows the rules: 3 to 32 of `A-Z a-z 0-9 _ . -`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username(String);

impl Username {
    /// Checks a name.
    ///
    /// # Errors
    /// The rule that the name breaks.
    pub fn parse(text: &str) -> Result<Self, AccountError> {
        if !(USERNAME_CHARS_MIN..=USERNAME_CHARS_MAX).contains(&text.chars().count()) {
            return Err(AccountError::UsernameLength);
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')) {
            return Err(AccountError::UsernameCharacters);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as it was chosen.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as it is compared: two accounts never differ only in case.
    #[must_use]
    pub fn folded(&self) -> String {
        fold(&self.0)
    }

    /// The name as text of its own.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a name is looked up: without case. A name that no account can have finds none.
#[must_use]
pub fn fold(username: &str) -> String {
    username.to_ascii_lowercase()
}

/// Text as a sign-in takes it: without white space at both ends, as Python's `str.strip` sees it, for which the
/// separators U+001C to U+001F are white space too.
#[must_use]
pub fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c))
}

/// Checks a password for a new account.
///
/// # Errors
/// The rule that the password breaks.
pub fn check_password(password: &str, username: &str) -> Result<(), AccountError> {
    if !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&password.chars().count()) {
        return Err(AccountError::PasswordLength);
    }
    if trim(password).len() != password.len() {
        return Err(AccountError::PasswordPadded);
    }
    if password.contains('\0') {
        return Err(AccountError::PasswordNull);
    }
    if fold(password) == fold(username) {
        return Err(AccountError::PasswordIsUsername);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules() {
        let long = "a".repeat(33);
        for (name, verdict) in [
            ("ada", None),
            ("Ada.Lovelace_1815-x", None),
            ("ab", Some(AccountError::UsernameLength)),
            (long.as_str(), Some(AccountError::UsernameLength)),
            ("ada lovelace", Some(AccountError::UsernameCharacters)),
            ("\u{430}da", Some(AccountError::UsernameCharacters)),
            ("ada/", Some(AccountError::UsernameCharacters)),
        ] {
            assert_eq!(Username::parse(name).err(), verdict, "{name}");
        }
        assert_eq!(Username::parse("AdA").expect("a name").folded(), "ada");
    }

    #[test]
    fn passwords_follow_the_rules() {
        let long = "p".repeat(129);
        for (password, verdict) in [
            ("correct horse", None),
            ("p\u{e4}ssw\u{f6}rd", None),
            ("short", Some(AccountError::PasswordLength)),
            (long.as_str(), Some(AccountError::PasswordLength)),
            ("correct horse ", Some(AccountError::PasswordPadded)),
            ("\u{1f}correct horse", Some(AccountError::PasswordPadded)),
            ("correct\u{1f}horse", None),
            ("correct\0horse", Some(AccountError::PasswordNull)),
            ("Somebody", Some(AccountError::PasswordIsUsername)),
        ] {
            assert_eq!(check_password(password, "somebody").err(), verdict, "{password}");
        }
    }
}

//! Ids and moments on their way into and out of rows.

use super::StoreError;
use jiff::Timestamp;
use uuid::Uuid;

/// A moment from a row.
pub(super) fn moment(milliseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(milliseconds).map_err(|_| StoreError::Damaged(format!("moment {milliseconds}")))
}

/// An id from a row.
pub(super) fn id(text: &str) -> Result<Uuid, StoreError> {
    text.parse().map_err(|_| StoreError::Damaged(format!("id {text:?}")))
}

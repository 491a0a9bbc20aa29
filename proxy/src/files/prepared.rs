//! The fields of a small file's answer as HTTP/1 writes them: made once, copied from then on.

use smallvec::SmallVec;
use std::cell::RefCell;
use std::sync::Arc;

/// What the fields depend on beside the file itself, which belongs to one route of one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// The number of the site: its rules about the response hold.
    pub site: usize,
    /// Whether the client came over HTTPS: some fields mean nothing elsewhere.
    pub https: bool,
}

/// A route of all sites may see one file in more ways; those beyond this are formed for each request.
const WAYS_MAX: usize = 4;

/// The texts that have been made.
#[derive(Debug, Default)]
pub(super) struct PreparedFields {
    texts: RefCell<SmallVec<[Text; 1]>>,
}

#[derive(Debug)]
struct Text {
    way: Way,
    fields: Arc<[u8]>,
}

impl PreparedFields {
    /// The text for this way, made if there is none yet; `None` when it can't be.
    pub(super) fn of(&self, way: Way, make: impl FnOnce() -> Option<Vec<u8>>) -> Option<Arc<[u8]>> {
        let mut texts = self.texts.borrow_mut();
        if let Some(text) = texts.iter().find(|text| text.way == way) {
            return Some(Arc::clone(&text.fields));
        }
        if texts.len() >= WAYS_MAX {
            return None;
        }
        let fields: Arc<[u8]> = make()?.into();
        texts.push(Text { way, fields: Arc::clone(&fields) });
        Some(fields)
    }
}

/// Whoever copies a representation is about to change its fields.
impl Clone for PreparedFields {
    fn clone(&self) -> Self {
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_made_once_for_each_way_and_not_for_more_than_are_kept() {
        let fields = PreparedFields::default();
        let way = |site| Way { site, https: site % 2 == 0 };
        for _ in 0..2 {
            for site in 0..WAYS_MAX {
                let text = fields.of(way(site), || Some(vec![u8::try_from(site).expect("small")]));
                assert_eq!(text.as_deref(), Some(&[u8::try_from(site).expect("small")][..]));
            }
        }
        assert_eq!(fields.of(way(0), || panic!("it is there")).as_deref(), Some(&[0][..]));
        assert!(fields.of(way(WAYS_MAX), || Some(vec![1])).is_none());
        assert!(fields.of(Way { site: 0, https: false }, || None).is_none());
        let copy = fields.clone();
        assert!(copy.of(way(0), || None).is_none(), "a copy has other fields");
        assert!(fields.of(way(0), || None).is_some());
    }
}

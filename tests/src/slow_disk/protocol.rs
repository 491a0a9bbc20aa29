//! The few messages of FUSE that a file system which is only read needs (`linux/fuse.h`, protocol 7.31): numbers in the
//! machine's own order, at fixed places.

/// Bytes before the arguments of a request.
const HEAD_BYTES: usize = 40;

/// The protocol's minor version that is spoken: the first whose `fuse_init_out` has today's length was 23.
const MINOR: u32 = 31;

/// `FUSE_PARALLEL_DIROPS`: names are looked up at the same time, so that one that hangs does not hide the others.
const PARALLEL: u32 = 1 << 18;

/// `FOPEN_DIRECT_IO`: each read is asked, and none waits for the same page of another.
const DIRECT_IO: u32 = 1;

/// `FOPEN_KEEP_CACHE`: what was read stays in the page cache when the file is opened again.
const KEEP_CACHE: u32 = 1 << 1;

const FILE_MODE: u32 = 0o100_444;
const DIRECTORY_MODE: u32 = 0o040_555;

/// When every file was written, in seconds: long ago.
const WRITTEN: u64 = 1_700_000_000;

/// The file system says no such thing.
pub(super) const ENOENT: i32 = 2;
/// The file system does not know the request.
pub(super) const ENOSYS: i32 = 38;

/// What the kernel asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    Init,
    Lookup {
        name: String,
    },
    Attributes,
    Open,
    Read {
        offset: usize,
        size: usize,
    },
    OpenDirectory,
    List {
        offset: usize,
    },
    Statistics,
    /// Nothing has to be done, but it wants an answer.
    Close,
    /// It wants no answer.
    Note,
    Unknown,
}

/// A request of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    unique: u64,
    /// The node that it is about.
    pub(super) node: u64,
    pub(super) question: Question,
}

/// What a node is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) node: u64,
    /// `None`: a directory.
    pub(super) size: Option<usize>,
    /// How many times it was written to; each time is a second later than the last.
    pub(super) version: u64,
}

impl Request {
    /// Reads one.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let arguments = &bytes[HEAD_BYTES..];
        let (offset, size) = (|| size_of(long(arguments, 8)), || size_of(word(arguments, 16).into()));
        let question = match word(bytes, 4) {
            1 => {
                let name = arguments.split(|&byte| byte == 0).next().unwrap_or_default();
                Question::Lookup { name: String::from_utf8_lossy(name).into_owned() }
            }
            2 | 36 | 42 => Question::Note,
            3 => Question::Attributes,
            14 => Question::Open,
            15 => Question::Read { offset: offset(), size: size() },
            17 => Question::Statistics,
            18 | 29 | 38 => Question::Close,
            26 => Question::Init,
            27 => Question::OpenDirectory,
            28 => Question::List { offset: offset() },
            _ => Question::Unknown,
        };
        Self { unique: long(bytes, 8), node: long(bytes, 16), question }
    }

    /// The answer with these bytes.
    pub(super) fn answer(&self, payload: &[u8]) -> Vec<u8> {
        self.message(0, payload)
    }

    /// The answer that it can't be done.
    pub(super) fn refuse(&self, error: i32) -> Vec<u8> {
        self.message(-error, &[])
    }

    fn message(&self, error: i32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(16 + payload.len()).expect("a short message");
        [&length.to_ne_bytes(), &error.to_ne_bytes(), &self.unique.to_ne_bytes()[..], payload].concat()
    }
}

/// `fuse_init_out`. Reads are not negotiated to be asynchronous: each waits for its own answer, in the thread that reads.
pub(super) fn init() -> Vec<u8> {
    let background = 64_u32 << 16 | 64;
    let mut words = vec![7, MINOR, 128 * 1024, PARALLEL, background, 4096, 1];
    words.resize(16, 0);
    words.into_iter().flat_map(u32::to_ne_bytes).collect()
}

/// `fuse_entry_out`: a name that may be remembered for so many seconds, as may what it names.
pub(super) fn entry(facts: Facts, name_seconds: u64, facts_seconds: u64) -> Vec<u8> {
    let head = [facts.node, 0, name_seconds, facts_seconds, 0];
    [longs(&head), attributes_of(facts)].concat()
}

/// `fuse_attr_out`.
pub(super) fn attributes(facts: Facts, seconds: u64) -> Vec<u8> {
    [longs(&[seconds, 0]), attributes_of(facts)].concat()
}

/// `fuse_open_out`.
pub(super) fn opened(keep_cache: bool) -> Vec<u8> {
    [longs(&[0]), (if keep_cache { KEEP_CACHE } else { DIRECT_IO }).to_ne_bytes().to_vec(), vec![0; 4]].concat()
}

/// `fuse_dirent`, the `place`th of its directory.
pub(super) fn directory_entry(facts: Facts, name: &str, place: usize) -> Vec<u8> {
    let length = u32::try_from(name.len()).expect("a short name");
    let kind: u32 = if facts.size.is_some() { 8 } else { 4 };
    let mut bytes = longs(&[facts.node, place as u64]);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(name.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// `fuse_statfs_out`: nothing is known.
pub(super) fn statistics() -> Vec<u8> {
    vec![0; 80]
}

fn attributes_of(Facts { node, size, version }: Facts) -> Vec<u8> {
    let length = size.unwrap_or(0) as u64;
    let written = WRITTEN + version;
    let mode = if size.is_some() { FILE_MODE } else { DIRECTORY_MODE };
    let words = [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0];
    let mut bytes = longs(&[node, length, length.div_ceil(512), written, written, written]);
    bytes.extend(words.into_iter().flat_map(u32::to_ne_bytes));
    bytes
}

fn longs(values: &[u64]) -> Vec<u8> {
    values.iter().copied().flat_map(u64::to_ne_bytes).collect()
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn size_of(number: u64) -> usize {
    usize::try_from(number).expect("what fits into memory")
}

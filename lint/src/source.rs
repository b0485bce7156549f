//! What was read and where: files, byte ranges in them, values that remember where they were written.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// The bytes as text in which every position is that of the bytes: each byte that is no UTF-8 becomes a question mark.
///
/// A comment in Latin-1 is common in old bundles and configurations, and the programs that read them by bytes do not
/// mind.
pub fn as_text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    Cow::Owned(text)
}

/// Everything the linter was given: `(path, bytes)` pairs, loaded by `main.rs` or by JavaScript.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
    /// With `--root`, paths are those of a whole machine: what is absent is missing, not unseen.
    pub root: bool,
    /// The absolute folder from which relative paths count, where it is known.
    pub folder: Option<String>,
}

/// One file as it was given.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// The path as given; beneath `--root`, relative to it; `-` for standard input.
    pub path: String,
    /// What it holds, or why that is not known.
    pub content: FileContent,
    /// Unix permission bits, where the edge knows them.
    pub mode: Option<u32>,
}

/// A file's bytes, or the reason why they were not read.
#[derive(Debug, Clone)]
pub enum FileContent {
    /// Read.
    Bytes(Arc<Vec<u8>>),
    /// There, but not read: the reason completes "not read: …".
    NotRead(String),
    /// A folder standing where a file could (only with `--root`).
    Folder,
}

/// Which file of [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// A byte range in the file the user wrote, through every embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Located<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub span: Span,
}

impl<T> Located<T> {
    /// Pairs a value with its place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// Changes the value, keeps the place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Located<U> {
        Located { value: change(self.value), span: self.span }
    }
}

impl Sources {
    /// Adds a file and returns its id.
    pub fn add(&mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> FileId {
        self.push(SourceFile {
            path: path.into(),
            content: FileContent::Bytes(Arc::new(bytes.into())),
            mode: None,
        })
    }

    /// Adds a file that may not have been read.
    pub fn push(&mut self, file: SourceFile) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(file);
        id
    }

    /// The file of an id.
    pub fn file(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(id.0 as usize)
    }

    /// The path of an id; `?` for an id of other sources.
    pub fn path(&self, id: FileId) -> &str {
        self.file(id).map_or("?", |file| file.path.as_str())
    }

    /// All files, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files
            .iter()
            .enumerate()
            .map(|(index, file)| (FileId(u32::try_from(index).unwrap_or(u32::MAX)), file))
    }

    /// The whole content of a file as a [`Text`], if it was read.
    pub fn text(&self, id: FileId) -> Option<Text> {
        match &self.file(id)?.content {
            FileContent::Bytes(bytes) => Some(Text::whole(id, Arc::clone(bytes))),
            FileContent::NotRead(_) | FileContent::Folder => None,
        }
    }
}

/// Bytes to be parsed, with a map back to where the user wrote them.
///
/// The content of a whole file maps to itself. Content that was unfolded, unescaped or decoded on the
/// way (a block scalar, a JSON string, base64) maps piece by piece, so that a parser of embedded text
/// yields spans of the outermost file without knowing of the embedding.
#[derive(Clone)]
pub struct Text {
    bytes: Arc<Vec<u8>>,
    file: FileId,
    pieces: Pieces,
}

#[derive(Debug, Clone)]
enum Pieces {
    /// Offset `n` of the text is offset `n + start` of the file.
    Shifted(u32),
    /// Sorted by `inner`; bytes of a piece run in step with the file, or all stand for one range.
    Mapped(Arc<Vec<Piece>>),
    /// The whole text stands for this range (decoded base64).
    Opaque { start: u32, end: u32 },
}

/// A run of embedded bytes and the range of the outer file it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// First byte of the run within the embedded text.
    pub inner: u32,
    /// First byte within the outer file.
    pub outer: u32,
    /// Length in the outer file of what the run came from.
    pub outer_len: u32,
    /// The run is copied byte by byte; otherwise (an escape, a folded line break) it stands for the range as a whole.
    pub verbatim: bool,
}

/// The place and the length only: the bytes may be a private key.
impl std::fmt::Debug for Text {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Text({:?}, {} bytes)", self.full_span(), self.bytes.len())
    }
}

impl Text {
    /// A whole file.
    pub fn whole(file: FileId, bytes: Arc<Vec<u8>>) -> Self {
        Self { bytes, file, pieces: Pieces::Shifted(0) }
    }

    /// A verbatim excerpt that starts at `start` of the file.
    pub fn excerpt(file: FileId, start: u32, bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: Arc::new(bytes.into()), file, pieces: Pieces::Shifted(start) }
    }

    /// Embedded text put together from pieces (sorted by `inner`).
    pub fn mapped(file: FileId, bytes: impl Into<Vec<u8>>, mut pieces: Vec<Piece>) -> Self {
        pieces.shrink_to_fit();
        Self { bytes: Arc::new(bytes.into()), file, pieces: Pieces::Mapped(Arc::new(pieces)) }
    }

    /// Decoded text of which only the place as a whole is known.
    pub fn opaque(span: Span, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: Arc::new(bytes.into()),
            file: span.file,
            pieces: Pieces::Opaque { start: span.start, end: span.end },
        }
    }

    /// The bytes to parse.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes as UTF-8, or the offset of the first byte that is not.
    pub fn as_str(&self) -> Result<&str, usize> {
        std::str::from_utf8(&self.bytes).map_err(|error| error.valid_up_to())
    }

    /// The file the user wrote.
    pub fn file(&self) -> FileId {
        self.file
    }

    /// Where a range of the text was written.
    pub fn span(&self, range: Range<usize>) -> Span {
        let (start, end) = match &self.pieces {
            Pieces::Shifted(by) => {
                (clamp(range.start).saturating_add(*by), clamp(range.end).saturating_add(*by))
            }
            Pieces::Opaque { start, end } => (*start, *end),
            Pieces::Mapped(pieces) => {
                let start = outer(pieces, clamp(range.start), false);
                let end =
                    if range.end > range.start { outer(pieces, clamp(range.end - 1), true) } else { start };
                (start, end.max(start))
            }
        };
        Span { file: self.file, start, end }
    }

    /// Where the whole text was written.
    pub fn full_span(&self) -> Span {
        self.span(0..self.bytes.len())
    }

    /// Text put together from pieces of this text (sorted by `inner`; their `outer` counts in this text),
    /// mapped to where this text was written.
    pub fn derived(&self, bytes: impl Into<Vec<u8>>, pieces: &[Piece]) -> Self {
        let mut mapped = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let start = piece.outer;
            let end = piece.outer.saturating_add(piece.outer_len);
            match &self.pieces {
                Pieces::Shifted(by) => {
                    mapped.push(Piece { outer: piece.outer.saturating_add(*by), ..*piece });
                }
                Pieces::Opaque { start, end } => {
                    return Self {
                        bytes: Arc::new(bytes.into()),
                        file: self.file,
                        pieces: Pieces::Opaque { start: *start, end: *end },
                    };
                }
                Pieces::Mapped(own) if piece.verbatim => {
                    // a verbatim run may cross several pieces of this text
                    let first = own.partition_point(|own| own.inner <= start).saturating_sub(1);
                    for (index, under) in own.iter().enumerate().skip(first) {
                        if under.inner >= end {
                            break;
                        }
                        let next = own.get(index + 1).map_or(u32::MAX, |next| next.inner);
                        let from = under.inner.max(start);
                        let to = next.min(end);
                        let cut = from.saturating_sub(under.inner);
                        let (outer, outer_len) = if under.verbatim {
                            (under.outer.saturating_add(cut), to.saturating_sub(from))
                        } else {
                            (under.outer, under.outer_len)
                        };
                        let inner = piece.inner.saturating_add(from.saturating_sub(start));
                        mapped.push(Piece { inner, outer, outer_len, verbatim: under.verbatim });
                    }
                }
                Pieces::Mapped(_) => {
                    let span = self.span(start as usize..end as usize);
                    mapped.push(Piece {
                        inner: piece.inner,
                        outer: span.start,
                        outer_len: span.end.saturating_sub(span.start),
                        verbatim: false,
                    });
                }
            }
        }
        Self::mapped(self.file, bytes, mapped)
    }

    /// A part of this text, mapped as this text is.
    pub fn part(&self, range: Range<usize>) -> Self {
        let end = range.end.min(self.bytes.len());
        let start = range.start.min(end);
        let bytes = self.bytes.get(start..end).unwrap_or_default().to_vec();
        let pieces = match &self.pieces {
            Pieces::Shifted(by) => Pieces::Shifted(by.saturating_add(clamp(start))),
            Pieces::Opaque { start, end } => Pieces::Opaque { start: *start, end: *end },
            Pieces::Mapped(pieces) => {
                let first = pieces.partition_point(|piece| piece.inner <= clamp(start)).saturating_sub(1);
                let shifted =
                    pieces.iter().skip(first).take_while(|piece| piece.inner < clamp(end)).map(|piece| {
                        let cut = clamp(start).saturating_sub(piece.inner);
                        Piece {
                            inner: piece.inner.saturating_sub(clamp(start)),
                            outer: if piece.verbatim { piece.outer.saturating_add(cut) } else { piece.outer },
                            outer_len: if piece.verbatim {
                                piece.outer_len.saturating_sub(cut)
                            } else {
                                piece.outer_len
                            },
                            verbatim: piece.verbatim,
                        }
                    });
                Pieces::Mapped(Arc::new(shifted.collect()))
            }
        };
        Self { bytes: Arc::new(bytes), file: self.file, pieces }
    }
}

/// The outer offset at (or, with `after`, just past) an inner offset.
fn outer(pieces: &[Piece], inner: u32, after: bool) -> u32 {
    let index = pieces.partition_point(|piece| piece.inner <= inner).saturating_sub(1);
    let Some(piece) = pieces.get(index) else { return 0 };
    if piece.verbatim {
        let within = inner.saturating_sub(piece.inner).saturating_add(u32::from(after));
        piece.outer.saturating_add(within.min(piece.outer_len))
    } else {
        piece.outer.saturating_add(if after { piece.outer_len } else { 0 })
    }
}

fn clamp(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FileId = FileId(0);

    fn folded() -> Text {
        // outer "  ab\n  cd" → inner "ab cd"
        let pieces = vec![
            Piece { inner: 0, outer: 2, outer_len: 2, verbatim: true },
            Piece { inner: 2, outer: 4, outer_len: 3, verbatim: false },
            Piece { inner: 3, outer: 7, outer_len: 2, verbatim: true },
        ];
        Text::mapped(FILE, *b"ab cd", pieces)
    }

    #[test]
    fn a_range_of_embedded_text_maps_to_what_the_user_wrote() {
        assert_eq!(folded().span(0..2), Span { file: FILE, start: 2, end: 4 });
        assert_eq!(folded().span(3..5), Span { file: FILE, start: 7, end: 9 });
        assert_eq!(folded().span(1..4), Span { file: FILE, start: 3, end: 8 });
    }

    #[test]
    fn a_part_maps_as_the_whole_does() {
        let part = folded().part(3..5);
        assert_eq!(part.bytes(), b"cd");
        assert_eq!(part.span(1..2), Span { file: FILE, start: 8, end: 9 });
    }
}

//! Events of the parser → arena.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput, Tag};

use super::stream::Offsets;
use super::{Data, Document, Problem, Shape, Style, Writing, problem, scalar};
use crate::source::Text;

/// Nesting beyond this is refused (Kubernetes manifests stay below 30).
const MAX_DEPTH: u32 = 200;
/// Nodes that a document may have once its aliases are followed, beside ten per node written.
const MAX_EXPANDED: u64 = 200_000;

/// Equal keys of one mapping that are named.
const MAX_DUPLICATES: usize = 20;

/// A collection that is being read.
pub(super) struct Frame {
    node: u32,
    pub(super) mapping: bool,
    flow: bool,
    /// Where its children begin in `pending`.
    children: usize,
    anchor: usize,
    expanded: u64,
    height: u32,
    merges: bool,
    /// End of the last child, for block collections, whose end event comes later.
    end: u32,
}

/// What an anchor names.
#[derive(Clone, Copy)]
struct Anchored {
    node: u32,
    expanded: u64,
    height: u32,
}

pub(super) struct Reader<'t> {
    text: &'t Text,
    pub(super) source: &'t str,
    pub(super) range: Range<usize>,
    offsets: &'t Offsets<'t>,
    /// Characters of the chunk before this document.
    skipped: usize,
    nodes: Vec<Data>,
    children: Vec<u32>,
    pub(super) values: Vec<Box<str>>,
    pending: Vec<u32>,
    pub(super) frames: Vec<Frame>,
    anchors: BTreeMap<usize, Anchored>,
    pub(super) problems: Vec<Problem>,
    /// The root is complete.
    done: bool,
}

impl<'t> Reader<'t> {
    pub(super) fn new(
        text: &'t Text,
        source: &'t str,
        range: Range<usize>,
        offsets: &'t Offsets<'t>,
        skipped: usize,
    ) -> Self {
        Self {
            text,
            source,
            offsets,
            skipped,
            range,
            nodes: Vec::new(),
            children: Vec::new(),
            values: Vec::new(),
            pending: Vec::new(),
            frames: Vec::new(),
            anchors: BTreeMap::new(),
            problems: Vec::new(),
            done: false,
        }
    }

    /// Reads one document; returns where the next one may begin, in bytes and in characters of the chunk.
    pub(super) fn run(&mut self) -> Result<(usize, usize), Problem> {
        let chunk = self.source.get(self.range.clone()).unwrap_or_default();
        let mut parser = Parser::new(StrInput::new(chunk));
        while let Some(event) = parser.next_event() {
            let (event, span) = match event {
                Ok(event) => event,
                Err(error) => {
                    let character = self.skipped + error.marker().index();
                    let at = self.offsets.byte(character);
                    if self.done && self.is_json() && matches!(self.byte(at), Some(b'{' | b'[')) {
                        return Ok((at, character));
                    }
                    return Err(problem::scan(self.text, self.source, &self.range, at, error.info()));
                }
            };
            let start = self.offsets.byte(self.skipped + span.start.index());
            let end = self.offsets.byte(self.skipped + span.end.index());
            match event {
                Event::Scalar(value, style, anchor, tag) => {
                    let properties = anchor > 0 || tag.is_some();
                    self.scalar(&value, style, anchor, tag.as_deref(), start..end, properties)?;
                }
                Event::SequenceStart(anchor, tag) => {
                    self.open(false, anchor, anchor > 0 || tag.is_some(), start)?;
                }
                Event::MappingStart(anchor, tag) => {
                    self.open(true, anchor, anchor > 0 || tag.is_some(), start)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(start..end)?,
                Event::Alias(anchor) => self.alias(anchor, start..end)?,
                Event::Nothing
                | Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd => {}
            }
        }
        Ok((self.range.end, 0))
    }

    pub(super) fn finish(self) -> Option<Document> {
        let root = self.nodes.first()?;
        // nothing between two `---`: kubectl skips it
        if root.shape == Shape::Null && root.start == root.end {
            return None;
        }
        Some(Document {
            nodes: self.nodes,
            children: self.children,
            values: self.values,
            text: self.text.clone(),
        })
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.source.as_bytes().get(at).copied()
    }

    fn is_json(&self) -> bool {
        let root = self.nodes.first();
        root.is_some_and(|root| matches!(self.byte(root.start as usize), Some(b'{' | b'[')))
    }

    pub(super) fn push(&mut self, data: Data) -> u32 {
        let index = small(self.nodes.len());
        self.nodes.push(data);
        index
    }

    fn scalar(
        &mut self,
        value: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        range: Range<usize>,
        properties: bool,
    ) -> Result<(), Problem> {
        let limit = self.range.end;
        let start =
            if properties { scalar::skip_properties(self.source, range.start, limit) } else { range.start };
        let end = range.end.max(start);
        let tag = tag.map(Meaning::of);
        let mut style = match style {
            ScalarStyle::Plain => Style { writing: Writing::Plain, typed: true },
            ScalarStyle::SingleQuoted => Style { writing: Writing::Single, typed: false },
            ScalarStyle::DoubleQuoted => Style { writing: Writing::Double, typed: false },
            ScalarStyle::Literal | ScalarStyle::Folded => Style { writing: Writing::Block, typed: false },
        };
        let empty = style.writing == Writing::Plain && value.is_empty();
        let (place, content) = match style.writing {
            Writing::Plain if empty => {
                let place = self.empty_place(start);
                (place.clone(), place)
            }
            Writing::Plain => (start..end, start..end),
            Writing::Single | Writing::Double => {
                let inside = scalar::inside_quotes(self.source, start, limit);
                (inside.clone(), inside)
            }
            Writing::Block | Writing::Binary => {
                let place = scalar::block_place(self.source, start..end, value, properties);
                (place.clone(), place)
            }
        };
        match tag {
            Some(Meaning::Text) => style.typed = false,
            Some(Meaning::Typed) => style.typed = true,
            Some(Meaning::Binary) => style = Style { writing: Writing::Binary, typed: false },
            None => {}
        }
        let null = style.typed && matches!(value, "" | "~" | "null" | "Null" | "NULL");
        let (shape, first, last) = if null {
            (Shape::Null, 0, 0)
        } else if style.writing == Writing::Binary {
            match scalar::binary(value) {
                Some(decoded) => {
                    self.values.push(decoded.into());
                    (Shape::Owned, small(self.values.len() - 1), 0)
                }
                None => return Err(problem::binary(self.text, place)),
            }
        } else if self.source.get(content.clone()) == Some(value) && style.writing != Writing::Block {
            (Shape::Slice, small(content.start), small(content.end))
        } else {
            self.values.push(value.into());
            (Shape::Owned, small(self.values.len() - 1), 0)
        };
        let end = small(place.end);
        let node = self.push(Data { start: small(place.start), end, first, last, shape, style });
        if anchor > 0 {
            self.anchors.insert(anchor, Anchored { node, expanded: 1, height: 1 });
        }
        let merges = !empty && value == "<<" && style.typed && self.at_key();
        if let Some(frame) = self.frames.last_mut() {
            frame.merges |= merges;
        }
        self.add(node, 1, 1, end)
    }

    /// Where a value that was not written belongs: at its key's colon, or where the parser stands.
    fn empty_place(&self, start: usize) -> Range<usize> {
        if self.at_value() {
            let key_end = self.pending.last().and_then(|key| self.nodes.get(*key as usize));
            if let Some(key) = key_end {
                let from = key.end as usize;
                let rest = self.source.as_bytes().get(from..).unwrap_or_default();
                let colon = rest.iter().take(3).position(|byte| *byte == b':');
                let at = from + colon.unwrap_or(0);
                return at..at + usize::from(colon.is_some());
            }
        }
        if self.byte(start) == Some(b'-') && !self.frames.is_empty() {
            return start..start + 1;
        }
        let at = start.min(self.range.end);
        at..at
    }

    /// The next node is a mapping's key.
    fn at_key(&self) -> bool {
        self.frames
            .last()
            .is_some_and(|frame| frame.mapping && (self.pending.len() - frame.children).is_multiple_of(2))
    }

    /// The next node is a mapping's value.
    fn at_value(&self) -> bool {
        self.frames
            .last()
            .is_some_and(|frame| frame.mapping && (self.pending.len() - frame.children) % 2 == 1)
    }

    /// Gives a finished node to the collection around it.
    pub(super) fn add(&mut self, node: u32, expanded: u64, height: u32, end: u32) -> Result<(), Problem> {
        let key = self.at_key();
        let Some(frame) = self.frames.last_mut() else {
            self.done = true;
            return Ok(());
        };
        frame.expanded = frame.expanded.saturating_add(expanded);
        frame.height = frame.height.max(height.saturating_add(1));
        frame.end = frame.end.max(end);
        let (expanded, height) = (frame.expanded, frame.height);
        self.pending.push(node);
        let data = self.nodes.get(node as usize).copied();
        if key && data.is_some_and(|data| matches!(data.shape, Shape::Sequence | Shape::Mapping)) {
            let range = data.map_or(0..0, |data| data.start as usize..data.end as usize);
            return Err(problem::collection_as_key(self.text, self.source, range));
        }
        let limit = MAX_EXPANDED.saturating_add(10 * self.nodes.len() as u64);
        if expanded > limit || height > MAX_DEPTH {
            let place = data.map_or(0..0, |data| data.start as usize..data.end as usize);
            return Err(if expanded > limit {
                problem::too_many_aliases(self.text, place)
            } else {
                problem::too_deep(self.text, place.start, MAX_DEPTH)
            });
        }
        Ok(())
    }

    pub(super) fn open(
        &mut self,
        mapping: bool,
        anchor: usize,
        properties: bool,
        start: usize,
    ) -> Result<(), Problem> {
        if self.frames.len() >= MAX_DEPTH as usize {
            return Err(problem::too_deep(self.text, start, MAX_DEPTH));
        }
        let start =
            if properties { scalar::skip_properties(self.source, start, self.range.end) } else { start };
        let flow = self.byte(start) == Some(if mapping { b'{' } else { b'[' });
        let shape = if mapping { Shape::Mapping } else { Shape::Sequence };
        let style = Style { writing: Writing::Plain, typed: false };
        let node =
            self.push(Data { start: small(start), end: small(start), first: 0, last: 0, shape, style });
        self.frames.push(Frame {
            node,
            mapping,
            flow,
            children: self.pending.len(),
            anchor,
            expanded: 1,
            height: 1,
            merges: false,
            end: small(start),
        });
        Ok(())
    }

    pub(super) fn close(&mut self, range: Range<usize>) -> Result<(), Problem> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let first = small(self.children.len());
        let from = self.pending.len().min(frame.children);
        let own: Vec<u32> = self.pending.drain(from..).collect();
        if frame.mapping {
            self.note_duplicates(&own);
            let own = if frame.merges { self.merged(&own)? } else { own };
            self.children.extend(own);
        } else {
            self.children.extend(own);
        }
        // an event's range may reach beyond the bracket, into a comment
        let end = if frame.flow { small(range.start + 1) } else { frame.end };
        let last = small(self.children.len());
        if let Some(data) = self.nodes.get_mut(frame.node as usize) {
            data.first = first;
            data.last = last;
            data.end = end.max(data.start);
        }
        if frame.anchor > 0 {
            let anchored = Anchored { node: frame.node, expanded: frame.expanded, height: frame.height };
            self.anchors.insert(frame.anchor, anchored);
        }
        self.add(frame.node, frame.expanded, frame.height, end)
    }

    fn alias(&mut self, anchor: usize, range: Range<usize>) -> Result<(), Problem> {
        match self.anchors.get(&anchor).copied() {
            Some(Anchored { node, expanded, height }) => {
                if self.at_key() {
                    // a key is found by its own place
                    let data = self.nodes.get(node as usize).copied();
                    if let Some(data) = data {
                        let copy = Data { start: small(range.start), end: small(range.end), ..data };
                        let node = self.push(copy);
                        return self.add(node, expanded, height, small(range.end));
                    }
                }
                self.add(node, expanded, height, small(range.end))
            }
            None => Err(problem::anchor_in_itself(self.text, range)),
        }
    }

    fn key_of(&self, node: u32) -> Option<(&str, Range<usize>)> {
        let data = self.nodes.get(node as usize)?;
        let name = match data.shape {
            Shape::Slice => self.source.get(data.first as usize..data.last as usize)?,
            Shape::Owned => self.values.get(data.first as usize)?,
            Shape::Null => "null",
            Shape::Sequence | Shape::Mapping => return None,
        };
        Some((name, data.start as usize..data.end as usize))
    }

    fn note_duplicates(&mut self, own: &[u32]) {
        let keys = || own.iter().step_by(2).filter_map(|node| self.key_of(*node));
        let doubled = if own.len() <= 16 {
            keys().enumerate().any(|(index, (name, _))| keys().take(index).any(|(other, _)| other == name))
        } else {
            let mut seen = HashSet::with_capacity(own.len() / 2);
            keys().any(|(name, _)| !seen.insert(name))
        };
        if !doubled {
            return;
        }
        let mut seen: BTreeMap<&str, Range<usize>> = BTreeMap::new();
        let mut found = Vec::new();
        for (name, place) in keys() {
            if found.len() >= MAX_DUPLICATES {
                break;
            }
            match seen.get(name) {
                Some(_) if name == "<<" => {}
                Some(first) => found.push(problem::duplicate_key(self.text, name, first.clone(), place)),
                None => {
                    seen.insert(name, place);
                }
            }
        }
        self.problems.append(&mut found);
    }

    /// A mapping's keys and values with those of its `<<` put in; written keys win, then earlier merges.
    fn merged(&self, own: &[u32]) -> Result<Vec<u32>, Problem> {
        let mut entries: Vec<u32> = Vec::with_capacity(own.len());
        let mut sources: Vec<u32> = Vec::new();
        for pair in own.chunks_exact(2) {
            let [key, value] = pair else { continue };
            let data = self.nodes.get(*key as usize);
            let merge = data.is_some_and(|data| data.style.typed)
                && self.key_of(*key).is_some_and(|(name, _)| name == "<<");
            if !merge {
                entries.extend([*key, *value]);
                continue;
            }
            let Some(data) = self.nodes.get(*value as usize) else { continue };
            let children = self.children.get(data.first as usize..data.last as usize).unwrap_or_default();
            let members: &[u32] = if data.shape == Shape::Sequence { children } else { &[*value] };
            for member in members {
                match self.nodes.get(*member as usize) {
                    Some(member_data) if member_data.shape == Shape::Mapping => sources.push(*member),
                    _ => return Err(problem::bad_merge(self.text, data.start as usize..data.end as usize)),
                }
            }
        }
        let mut names: HashSet<&str> =
            entries.iter().step_by(2).filter_map(|key| self.key_of(*key)).map(|(name, _)| name).collect();
        for source in sources {
            let Some(data) = self.nodes.get(source as usize) else { continue };
            let children = self.children.get(data.first as usize..data.last as usize).unwrap_or_default();
            for pair in children.chunks_exact(2) {
                let [key, value] = pair else { continue };
                if self.key_of(*key).is_some_and(|(name, _)| names.insert(name)) {
                    entries.extend([*key, *value]);
                }
            }
        }
        Ok(entries)
    }
}

/// What a tag says of a scalar.
enum Meaning {
    /// `!!str`, `!`, `!anything`: text.
    Text,
    /// `!!int`, `!!bool`, …: read as if plain.
    Typed,
    /// `!!binary`: base64.
    Binary,
}

impl Meaning {
    fn of(tag: &Tag) -> Self {
        match (tag.is_yaml_core_schema(), tag.suffix.as_str()) {
            (true, "int" | "bool" | "float" | "null" | "timestamp") => Self::Typed,
            (true, "binary") => Self::Binary,
            _ => Self::Text,
        }
    }
}

/// Offsets are 32 bits; a file beyond 4 GiB is not read at all.
pub(super) fn small(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

//! What is in force in a block: its own directives, else those of the blocks around it.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::directive;
use crate::deployment::Setting;
use crate::source::{FileId, Located, Span, Text};
use crate::syntax::nginx::Directive;

/// Which file of the machine a directive stands in, for nginx's own words.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    /// First byte of a text in the sources → last byte and the path under which nginx reads it.
    texts: BTreeMap<(FileId, u32), (u32, String)>,
}

impl Origins {
    /// Notes that a text is read as this file.
    pub fn add(&mut self, text: &Text, path: &str) {
        let span = text.full_span();
        self.texts.insert((span.file, span.start), (span.end, path.to_owned()));
    }

    /// ` in FILE:LINE`, or nothing where the file is not known.
    pub fn place(&self, span: Span, line: usize) -> String {
        self.texts
            .range(..=(span.file, span.start))
            .next_back()
            .filter(|((file, _), (end, _))| *file == span.file && span.start <= *end)
            .map(|(_, (_, path))| format!(" in {path}:{line}"))
            .unwrap_or_default()
    }
}

/// Directives of one block by their names.
struct Level<'d> {
    by_name: BTreeMap<&'d str, Vec<&'d Directive>>,
    span: Span,
    /// A `server` or a block within it.
    in_server: bool,
}

/// A block and those around it, innermost last.
#[derive(Clone, Default)]
pub(super) struct Scope<'d> {
    levels: Vec<Rc<Level<'d>>>,
}

impl<'d> Scope<'d> {
    /// A block within this one.
    pub(super) fn within(&self, directives: &'d [Directive], span: Span, in_server: bool) -> Self {
        let mut by_name: BTreeMap<&str, Vec<&Directive>> = BTreeMap::new();
        for directive in directives {
            by_name.entry(directive.name.value.as_str()).or_default().push(directive);
        }
        let mut levels = self.levels.clone();
        levels.push(Rc::new(Level { by_name, span, in_server }));
        Self { levels }
    }

    /// The block's opening.
    pub(super) fn span(&self) -> Span {
        self.levels.last().map_or(Span { file: FileId(0), start: 0, end: 0 }, |level| level.span)
    }

    /// All directives of a name of the nearest level that has one: arrays are replaced, not added to.
    pub(super) fn all(&self, name: &str) -> &[&'d Directive] {
        self.levels.iter().rev().find_map(|level| level.by_name.get(name)).map_or(&[], Vec::as_slice)
    }

    /// Directives of a name in the outer blocks, and those of this very block that replace them.
    pub(super) fn replaced(&self, name: &str) -> Option<(&[&'d Directive], &[&'d Directive])> {
        let (own, outer) = self.levels.split_last()?;
        let own = own.by_name.get(name)?;
        let outer = outer.iter().rev().find_map(|level| level.by_name.get(name))?;
        Some((outer, own))
    }

    /// The directive in force.
    pub(super) fn last(&self, name: &str) -> Option<&'d Directive> {
        self.all(name).first().copied()
    }

    /// The only word of the directive in force.
    pub(super) fn word(&self, name: &str) -> Option<Located<String>> {
        self.last(name)?.arguments.first().cloned()
    }

    /// The file of the directive in force; an empty name means none.
    pub(super) fn path(&self, name: &str) -> Option<Located<String>> {
        self.word(name).filter(|word| !word.value.is_empty())
    }

    /// The first words of all directives in force.
    pub(super) fn words(&self, name: &str) -> Vec<Located<String>> {
        self.all(name).iter().filter_map(|directive| directive.arguments.first().cloned()).collect()
    }

    /// A setting; a word that nginx refuses counts as not written (the refusal says so).
    pub(super) fn setting<T>(&self, name: &str, default: T, parse: impl Fn(&str) -> Option<T>) -> Setting<T> {
        let given = self.last(name).and_then(|directive| {
            let value = parse(&directive.arguments.first()?.value)?;
            Some(Located::new(value, directive.span))
        });
        match given {
            Some(given) => Setting::Given(given),
            None => Setting::Default { value: default, parent: self.span() },
        }
    }

    /// A flag.
    pub(super) fn flag(&self, name: &str, default: bool) -> Setting<bool> {
        self.setting(name, default, |word| match word.to_ascii_lowercase().as_str() {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        })
    }

    /// The first directive, of any level, whose name starts so.
    pub(super) fn first_with_prefix(&self, prefix: &str) -> Option<Span> {
        self.levels.iter().rev().find_map(|level| {
            let (name, directives) = level.by_name.range(prefix..).next()?;
            name.starts_with(prefix).then(|| directives.first().map(|directive| directive.span)).flatten()
        })
    }

    /// The first directive of the innermost block whose name starts so.
    pub(super) fn own_with_prefix(&self, prefix: &str) -> Option<Span> {
        let (name, directives) = self.levels.last()?.by_name.range(prefix..).next()?;
        name.starts_with(prefix).then(|| directives.first().map(|directive| directive.span)).flatten()
    }

    /// Includes left in this block and those around it, whose files lie outside the sources and may say more.
    ///
    /// A pattern outside of servers (`include conf.d/*.conf`) brings other servers, and is not counted.
    pub(super) fn left_includes(&self) -> Vec<String> {
        let left = self.levels.iter().flat_map(|level| {
            level.by_name.get("include").into_iter().flatten().filter_map(|directive| {
                let path = directive.arguments.first()?;
                let pattern = path.value.contains(['*', '?', '[']);
                (level.in_server || !pattern)
                    .then(|| format!("the included {} lies outside the sources", path.value))
            })
        });
        left.collect()
    }

    /// Lua that runs during the handshake.
    pub(super) fn handshake_code(&self) -> Option<Span> {
        self.levels.iter().rev().find_map(|level| {
            level
                .by_name
                .range("ssl_c"..)
                .take_while(|(name, _)| name.starts_with("ssl_c"))
                .find(|(name, _)| directive::decides_handshake(name))
                .and_then(|(_, directives)| directives.first().map(|directive| directive.span))
        })
    }
}

//! A finding with everything a remedy may look at.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::edit::lines;
use crate::finding::Finding;
use crate::report::Report;
use crate::source::{Sources, Span, Text};
use crate::syntax::nginx::{self, Directive};
use crate::syntax::yaml::{self, Document, Kind, Node};

/// A finding in its sources.
pub struct Site<'a> {
    sources: &'a Sources,
    /// The whole report.
    pub report: &'a Report,
    /// What is to be remedied.
    pub finding: &'a Finding,
    /// Its primary label.
    pub span: Span,
    texts: &'a Texts,
}

/// Texts that were parsed for one finding and serve the next.
#[derive(Default)]
pub struct Texts {
    yaml: RefCell<BTreeMap<Span, Rc<Vec<Document>>>>,
    nginx: RefCell<BTreeMap<Span, Rc<Vec<Directive>>>>,
}

impl Texts {
    fn yaml(&self, text: &Text) -> Rc<Vec<Document>> {
        let parse = || Rc::new(yaml::parse(text).documents);
        Rc::clone(self.yaml.borrow_mut().entry(text.full_span()).or_insert_with(parse))
    }

    fn nginx(&self, text: &Text) -> Rc<Vec<Directive>> {
        let parse = || Rc::new(nginx::parse(text).directives);
        Rc::clone(self.nginx.borrow_mut().entry(text.full_span()).or_insert_with(parse))
    }
}

impl<'a> Site<'a> {
    /// None for a finding without a label.
    pub fn new(
        sources: &'a Sources,
        report: &'a Report,
        finding: &'a Finding,
        texts: &'a Texts,
    ) -> Option<Self> {
        let span = finding.labels.first()?.span;
        Some(Self { sources, report, finding, span, texts })
    }

    /// The span of another label.
    pub fn label(&self, index: usize) -> Option<Span> {
        self.finding.labels.get(index).map(|label| label.span)
    }

    /// The bytes of the file in which a span lies.
    pub fn bytes(&self, span: Span) -> &'a [u8] {
        self.report.files.bytes(span.file)
    }

    /// What the user wrote at a span; None for what is no text, or an offset within a character.
    pub fn written(&self, span: Span) -> Option<&'a str> {
        let bytes = self.bytes(span).get(span.start as usize..span.end as usize)?;
        std::str::from_utf8(bytes).ok()
    }

    /// Gives the nodes around a span to a remedy, outermost first, of the innermost YAML (or JSON) that holds it.
    pub fn in_yaml<T>(&self, span: Span, then: impl FnOnce(&[Node<'_>]) -> Option<T>) -> Option<T> {
        let text = self.sources.text(span.file)?;
        let (mut then, mut answer) = (Some(then), None);
        self.descend(&text, span, &mut |path| answer = then.take().and_then(|then| then(path)));
        answer
    }

    fn descend(&self, text: &Text, span: Span, then: &mut dyn FnMut(&[Node<'_>])) -> Option<()> {
        let documents = self.texts.yaml(text);
        let path = around(&documents, span)?;
        // a scalar that holds more than the span may be a document itself
        let embedded = path
            .last()
            .filter(|last| last.kind() == Kind::Scalar && (last.span() != span || !last.is_plain()));
        let inner = embedded.and_then(|scalar| scalar.text()).filter(|inner| {
            let structured = |document: &Document| {
                matches!(document.root().kind(), Kind::Mapping | Kind::Sequence)
                    && path_exists(document.root(), span)
            };
            inner.full_span() != text.full_span() && self.texts.yaml(inner).iter().any(structured)
        });
        match inner {
            Some(inner) => self.descend(&inner, span, then),
            None => {
                then(&path);
                Some(())
            }
        }
    }

    /// Shows every resource of the manifests, those of lists one by one.
    pub fn each_resource(&self, mut show: impl FnMut(Node<'_>)) {
        for (id, file) in self.sources.iter() {
            let may = [".yaml", ".yml", ".json"].iter().any(|ending| file.path.ends_with(ending))
                || file.path == "-";
            let Some(text) = self.sources.text(id).filter(|_| may) else { continue };
            for document in self.texts.yaml(&text).iter() {
                match document.root().get("items") {
                    Some(items) => items.items().for_each(&mut show),
                    None => show(document.root()),
                }
            }
        }
    }

    /// Gives the directives around a span to a remedy, outermost first; each is written as it is read.
    pub fn in_nginx<T>(&self, span: Span, then: impl FnOnce(&[&Directive]) -> Option<T>) -> Option<T> {
        let (mut then, mut answer) = (Some(then), None);
        self.descend_in_nginx(span, &mut |path| answer = then.take().and_then(|then| then(path)));
        answer
    }

    fn descend_in_nginx(&self, span: Span, then: &mut dyn FnMut(&[&Directive])) -> Option<()> {
        let whole = self.sources.text(span.file)?;
        // a configuration may stand in a scalar of a manifest
        let documents = self.texts.yaml(&whole);
        let embedded = around(&documents, span).and_then(|path| {
            path.last().filter(|last| last.kind() == Kind::Scalar && !last.is_plain())?.text()
        });
        for text in embedded.into_iter().chain([whole]) {
            let directives = self.texts.nginx(&text);
            let path = lines::around(&directives, span);
            let as_read =
                |directive: &&Directive| self.written(directive.name.span) == Some(&directive.name.value);
            if !path.is_empty() && path.iter().all(as_read) {
                then(&path);
                break;
            }
        }
        None
    }
}

/// The nodes around a span in one of the documents, which follow one another.
fn around(documents: &[Document], span: Span) -> Option<Vec<Node<'_>>> {
    let first = documents.partition_point(|document| document.root().span().end < span.start);
    documents.get(first..)?.iter().take(2).find_map(|document| path(document.root(), span))
}

/// The nodes around a span, outermost first.
fn path(root: Node<'_>, span: Span) -> Option<Vec<Node<'_>>> {
    let mut path = vec![Some(root).filter(|root| holds(root.span(), span))?];
    while let Some(inner) = path.last().and_then(|node| within(*node, span)) {
        path.push(inner);
    }
    Some(path)
}

fn path_exists(root: Node<'_>, span: Span) -> bool {
    path(root, span).is_some()
}

fn within(node: Node<'_>, span: Span) -> Option<Node<'_>> {
    match node.kind() {
        Kind::Mapping => node.entries().map(|(_, value)| value).find(|value| holds(value.span(), span)),
        Kind::Sequence => node.items().find(|item| holds(item.span(), span)),
        Kind::Null | Kind::Scalar => None,
    }
}

fn holds(outer: Span, inner: Span) -> bool {
    outer.file == inner.file && outer.start <= inner.start && inner.end <= outer.end
}

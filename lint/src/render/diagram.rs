//! The deployment drawn: components, connections, colour and words by outcome. Mermaid text, and SVG by itself.

use std::collections::BTreeMap;

use mtls_identity::sorted;

use super::junit::escape;
use crate::handshake::Outcome;
use crate::report::{ConnectionReport, Party, Report};
use crate::visible::visible;

/// `predict --format mermaid`.
pub fn mermaid(report: &Report) -> String {
    let graph = Graph::of(report);
    let mut out = String::from("flowchart LR\n");
    for (index, node) in graph.nodes.iter().enumerate() {
        out.push_str(&format!("  n{index}[\"{}\"]\n", quoted(&title(node))));
    }
    for edge in &graph.edges {
        out.push_str(&format!("  n{} -->|\"{}\"| n{}\n", edge.from, quoted(&edge.words()), edge.to));
    }
    for (index, edge) in graph.edges.iter().enumerate() {
        out.push_str(&format!("  linkStyle {index} stroke:{}\n", edge.color()));
    }
    out
}

fn quoted(text: &str) -> String {
    let text = visible(text).replace(['\n', '\t'], " ");
    text.replace('&', "#amp;").replace('"', "#quot;").replace('<', "#lt;").replace('>', "#gt;")
}

const BOX_WIDTH: usize = 230;
const BOX_HEIGHT: usize = 54;
/// Between columns: room for what a connection's label says.
const GAP: usize = 280;
/// Between the places where connections leave or arrive at one box: room for a label.
const PORT: usize = 46;
/// Below a box, for each connection to itself.
const LOOP: usize = 56;
/// Around everything: the label of a connection of a program to itself is wider than its box.
const MARGIN: usize = 44;
const MARGIN_ABOVE: usize = 16;

/// `predict --format svg`. Groups have classes and, where they are connections, their index, for pages that show it.
pub fn svg(report: &Report) -> String {
    let graph = Graph::of(report);
    let layout = Layout::of(&graph);
    let (width, height) = (layout.width, layout.height);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"TLS connections of the deployment\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n"
    );
    out.push_str("  <defs>\n");
    for (name, color) in COLORS {
        out.push_str(&format!(
            "    <marker class=\"{name}\" id=\"arrow-{name}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" \
             markerUnits=\"userSpaceOnUse\" markerWidth=\"11\" markerHeight=\"11\" orient=\"auto\">\
             <path d=\"M0 0L8 4L0 8z\" fill=\"{color}\"/></marker>\n"
        ));
    }
    out.push_str("  </defs>\n");
    for (node, place) in graph.nodes.iter().zip(&layout.boxes) {
        out.push_str(&draw_box(node, place));
    }
    for (index, (edge, ends)) in graph.edges.iter().zip(&layout.ends).enumerate() {
        out.push_str(&draw_edge(index, edge, ends));
    }
    out.push_str("</svg>\n");
    out
}

fn draw_box(node: &Party, place: &Place) -> String {
    let Place { x, y, height } = *place;
    let name = node.name.as_deref().unwrap_or("unknown callers");
    // the kind stands above it already
    let name =
        name.strip_prefix(node.kind).map(str::trim_start).filter(|rest| !rest.is_empty()).unwrap_or(name);
    format!(
        "  <g class=\"node\"><title>{title}</title><rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{height}\" \
         rx=\"10\" fill=\"#f6f8fa\" stroke=\"#57606a\"/><text class=\"kind\" x=\"{tx}\" y=\"{ky}\" text-anchor=\"middle\" \
         fill=\"#57606a\">{kind}</text><text class=\"name\" x=\"{tx}\" y=\"{ny}\" text-anchor=\"middle\" \
         font-size=\"13.5\" font-weight=\"600\" fill=\"#1f2328\">{name}</text></g>\n",
        title = escape(&title(node)),
        tx = x + BOX_WIDTH / 2,
        ky = y + height / 2 - 7,
        ny = y + height / 2 + 12,
        kind = escape(node.kind),
        name = escape(&shortened(name)),
    )
}

fn draw_edge(index: usize, edge: &Edge<'_>, ends: &Ends) -> String {
    let (color, name) = (edge.color(), edge.color_name());
    let (url, words) = (shortened(&edge.connection.url), edge.words());
    // letters of a proportional font at this size are hardly wider
    let letters = url.chars().count().max(words.chars().count());
    let width = (letters * 64 / 10 + 22).min(GAP - 16);
    let (x, y) = ends.label;
    format!(
        "  <g class=\"edge {name}\" data-connection=\"{index}\"><title>{title}</title><path class=\"hit\" d=\"{path}\" \
         fill=\"none\" stroke=\"transparent\" stroke-width=\"14\"/><path class=\"line\" d=\"{path}\" fill=\"none\" \
         stroke=\"{color}\" stroke-width=\"2\" marker-end=\"url(#arrow-{name})\"/><rect x=\"{left}\" y=\"{top}\" \
         width=\"{width}\" height=\"36\" rx=\"8\" fill=\"#ffffff\" stroke=\"#d0d7de\"/><text x=\"{x}\" \
         text-anchor=\"middle\"><tspan class=\"url\" x=\"{x}\" y=\"{first}\" fill=\"#1f2328\">{url}</tspan><tspan \
         class=\"words\" x=\"{x}\" y=\"{second}\" fill=\"{color}\">{words}</tspan></text></g>\n",
        title = escape(&edge.title()),
        path = ends.path,
        left = x.saturating_sub(width / 2),
        top = y.saturating_sub(18),
        first = y.saturating_sub(4),
        second = y + 11,
        url = escape(&url),
        words = escape(&words),
    )
}

/// Where a box stands; all are equally wide.
#[derive(Clone, Copy, Default)]
struct Place {
    x: usize,
    y: usize,
    height: usize,
}

/// How a connection runs, and where its label has its middle.
struct Ends {
    path: String,
    label: (usize, usize),
}

struct Layout {
    boxes: Vec<Place>,
    ends: Vec<Ends>,
    width: usize,
    height: usize,
}

impl Layout {
    fn of(graph: &Graph<'_>) -> Self {
        let columns = graph.columns();
        let mut leaving = vec![0_usize; graph.nodes.len()];
        let (mut arriving, mut loops) = (leaving.clone(), leaving.clone());
        for edge in &graph.edges {
            let counts = if edge.from == edge.to {
                [Some(&mut loops), None]
            } else {
                [Some(&mut leaving), Some(&mut arriving)]
            };
            for (counts, node) in counts.into_iter().zip([edge.from, edge.to]) {
                if let Some(count) = counts.and_then(|counts| counts.get_mut(node)) {
                    *count += 1;
                }
            }
        }
        // boxes are as tall as their connections need; columns begin at the top
        let mut bottoms: BTreeMap<usize, usize> = BTreeMap::new();
        let mut boxes: Vec<Place> = Vec::new();
        for (node, column) in columns.iter().enumerate() {
            let count = |counts: &[usize]| counts.get(node).copied().unwrap_or(0);
            let height = (PORT * count(&leaving).max(count(&arriving))).max(BOX_HEIGHT);
            let bottom = bottoms.entry(*column).or_insert(MARGIN_ABOVE);
            boxes.push(Place { x: MARGIN + column * (BOX_WIDTH + GAP), y: *bottom, height });
            *bottom += height + 26 + LOOP * count(&loops);
        }
        let tallest = bottoms.values().copied().max().unwrap_or(MARGIN_ABOVE);
        for (place, column) in boxes.iter_mut().zip(&columns) {
            let bottom = bottoms.get(column).copied().unwrap_or(tallest);
            place.y += (tallest - bottom) / 2;
        }
        let ends = Self::ends(graph, &boxes, &leaving, &arriving);
        let last = columns.iter().copied().max().unwrap_or(0);
        // a connection within a column bends out to the right
        let bent = graph.edges.iter().any(|edge| {
            edge.from != edge.to
                && columns.get(edge.from) == columns.get(edge.to)
                && columns.get(edge.to) == Some(&last)
        });
        let width = MARGIN * 2 + last * (BOX_WIDTH + GAP) + BOX_WIDTH + if bent { GAP } else { 0 };
        Self { boxes, ends, width, height: (tallest + MARGIN_ABOVE).saturating_sub(26) }
    }

    fn ends(graph: &Graph<'_>, boxes: &[Place], leaving: &[usize], arriving: &[usize]) -> Vec<Ends> {
        let place = |node: usize| boxes.get(node).copied().unwrap_or_default();
        // connections leave in the order of where they arrive, and arrive in the order of where they leave
        let order = |by: &dyn Fn(&Edge<'_>) -> (usize, usize)| {
            let mut order: Vec<usize> = (0..graph.edges.len()).collect();
            sorted::sort_by_key(&mut order, |index| graph.edges.get(*index).map(by));
            order
        };
        let mut left = vec![0_usize; graph.edges.len()];
        let mut right = left.clone();
        let mut seen = vec![(0_usize, 0_usize, 0_usize); graph.nodes.len()];
        for index in order(&|edge| (place(edge.to).y, place(edge.to).x)) {
            let Some(edge) = graph.edges.get(index) else { continue };
            if let (Some(seen), Some(port)) = (seen.get_mut(edge.from), left.get_mut(index)) {
                let nth = if edge.from == edge.to { &mut seen.2 } else { &mut seen.0 };
                *port = *nth;
                *nth += 1;
            }
        }
        for index in order(&|edge| (place(edge.from).y, place(edge.from).x)) {
            let Some(edge) = graph.edges.get(index).filter(|edge| edge.from != edge.to) else { continue };
            if let (Some(seen), Some(port)) = (seen.get_mut(edge.to), right.get_mut(index)) {
                *port = seen.1;
                seen.1 += 1;
            }
        }
        let port =
            |place: Place, nth: usize, of: usize| place.y + place.height * (2 * nth + 1) / (2 * of.max(1));
        let count = |counts: &[usize], node: usize| counts.get(node).copied().unwrap_or(1);
        let ends = graph.edges.iter().zip(left.iter().zip(&right)).map(|(edge, (leave, arrive))| {
            let (from, to) = (place(edge.from), place(edge.to));
            if edge.from == edge.to {
                return under(from, *leave);
            }
            let (y1, y2) =
                (port(from, *leave, count(leaving, edge.from)), port(to, *arrive, count(arriving, edge.to)));
            between(from, y1, to, y2)
        });
        ends.collect()
    }
}

/// A connection of a program to itself runs below its box.
fn under(place: Place, nth: usize) -> Ends {
    let bottom = place.y + place.height;
    let (x1, x2) = (place.x + BOX_WIDTH - 30, place.x + 30);
    let low = bottom + LOOP * (nth + 1) - 20;
    let path = format!(
        "M{x1} {bottom}C{x1} {low} {x1} {low} {} {low}L{} {low}C{x2} {low} {x2} {low} {x2} {bottom}",
        x1 - 24,
        x2 + 24
    );
    Ends { path, label: (place.x + BOX_WIDTH / 2, low) }
}

fn between(from: Place, y1: usize, to: Place, y2: usize) -> Ends {
    let middle = usize::midpoint(y1, y2);
    if from.x == to.x {
        let x = from.x + BOX_WIDTH;
        let bend = x + 90;
        let path = format!("M{x} {y1}C{bend} {y1} {bend} {y2} {x} {y2}");
        return Ends { path, label: (x + GAP / 2, middle) };
    }
    // past the columns in between, a connection runs straight on
    let (x1, turn, x2) = if to.x > from.x {
        (from.x + BOX_WIDTH, from.x + BOX_WIDTH + GAP, to.x)
    } else {
        (from.x, from.x - GAP, to.x + BOX_WIDTH)
    };
    let bend = usize::midpoint(x1, turn);
    Ends { path: format!("M{x1} {y1}C{bend} {y1} {bend} {y2} {turn} {y2}L{x2} {y2}"), label: (bend, middle) }
}

fn shortened(text: &str) -> String {
    const MOST: usize = 30;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    let kept: String = text.chars().take(MOST - 1).collect();
    format!("{kept}…")
}

/// Names and values of the colours (contrast at least 4.5 : 1 on white).
const COLORS: [(&str, &str); 4] =
    [("good", "#116329"), ("half", "#7d4e00"), ("bad", "#a40e26"), ("unknown", "#57606a")];

struct Graph<'r> {
    nodes: Vec<&'r Party>,
    edges: Vec<Edge<'r>>,
}

struct Edge<'r> {
    from: usize,
    to: usize,
    connection: &'r ConnectionReport,
}

impl<'r> Graph<'r> {
    fn of(report: &'r Report) -> Self {
        let mut nodes: Vec<&Party> = Vec::new();
        let mut known: BTreeMap<(&str, Option<&str>, Option<&str>), usize> = BTreeMap::new();
        let mut node = |party: &'r Party| {
            *known.entry((party.kind, party.name.as_deref(), party.file.as_deref())).or_insert_with(|| {
                nodes.push(party);
                nodes.len() - 1
            })
        };
        let edges = report.connections.iter().map(|connection| Edge {
            from: node(&connection.client),
            to: node(&connection.server),
            connection,
        });
        let edges = edges.collect();
        Self { nodes, edges }
    }

    /// The column of every node: a server stands to the right of its clients, as far as there is no circle.
    fn columns(&self) -> Vec<usize> {
        let mut columns = vec![0_usize; self.nodes.len()];
        for _ in 0..self.nodes.len() {
            let mut moved = false;
            for edge in self.edges.iter().filter(|edge| edge.from != edge.to) {
                let least = columns.get(edge.from).map_or(0, |column| column + 1);
                // in a circle the columns would run away
                if let Some(column) = columns.get_mut(edge.to)
                    && *column < least
                    && least < self.nodes.len()
                {
                    *column = least;
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        columns
    }
}

fn title(party: &Party) -> String {
    party.name.as_ref().map_or_else(|| party.kind.to_owned(), |name| format!("{} {name}", party.kind))
}

impl Edge<'_> {
    fn words(&self) -> String {
        let prediction = &self.connection.prediction;
        match (prediction.outcome, prediction.server_authenticated, prediction.client_authenticated) {
            (Outcome::Completes, Some(true), Some(true)) => "completes, both authenticated".to_owned(),
            (Outcome::Completes, Some(true), _) => "completes, only the server authenticated".to_owned(),
            (Outcome::Completes, Some(false), Some(true)) => {
                "completes, only the client authenticated".to_owned()
            }
            // callers that nobody knows: whether they look at the server's certificate is theirs to know
            (Outcome::Completes, None, Some(true)) => "completes, client authenticated".to_owned(),
            (Outcome::Completes, None, None) => "completes, client authenticated for some names".to_owned(),
            (Outcome::Completes, None, _) => "completes, client not authenticated".to_owned(),
            (Outcome::Completes, _, _) => "completes, nobody authenticated".to_owned(),
            (outcome, _, _) => outcome.name().to_owned(),
        }
    }

    fn title(&self) -> String {
        let prediction = &self.connection.prediction;
        let why = prediction.why.iter().map(|why| why.message.clone());
        let lines: Vec<String> = std::iter::once(format!("{}: {}", self.connection.url, self.words()))
            .chain(why)
            .chain(prediction.undetermined_because.iter().cloned())
            .collect();
        lines.join("\n")
    }

    fn color_name(&self) -> &'static str {
        let prediction = &self.connection.prediction;
        match prediction.outcome {
            Outcome::Undetermined => "unknown",
            Outcome::Completes
                if prediction.server_authenticated != Some(false)
                    && prediction.client_authenticated == Some(true) =>
            {
                "good"
            }
            Outcome::Completes => "half",
            _ => "bad",
        }
    }

    fn color(&self) -> &'static str {
        let name = self.color_name();
        COLORS.iter().find(|(known, _)| *known == name).map_or("#57606a", |(_, color)| color)
    }
}

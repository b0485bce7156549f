//! The deployment drawn: components, connections, colour and words by outcome. Mermaid text, and SVG by itself.

use std::collections::BTreeMap;

use super::junit::escape;
use crate::handshake::Outcome;
use crate::report::{ConnectionReport, Party, Report};

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
    text.replace('&', "#amp;").replace('"', "#quot;").replace('<', "#lt;").replace('>', "#gt;")
}

const BOX_WIDTH: usize = 200;
const BOX_HEIGHT: usize = 52;
const COLUMN: usize = 440;
const ROW: usize = 92;
const MARGIN: usize = 24;

/// `predict --format svg`.
pub fn svg(report: &Report) -> String {
    let graph = Graph::of(report);
    let places = graph.places();
    let columns = places.iter().map(|place| place.0).max().unwrap_or(0);
    let rows = places.iter().map(|place| place.1).max().unwrap_or(0);
    let width = MARGIN * 2 + columns * COLUMN + BOX_WIDTH;
    let height = MARGIN * 2 + rows * ROW + BOX_HEIGHT;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"TLS connections of the deployment\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\">\n"
    );
    out.push_str("  <defs>\n");
    for (name, color) in COLORS {
        out.push_str(&format!(
            "    <marker id=\"arrow-{name}\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" \
             markerHeight=\"8\" orient=\"auto-start-reverse\"><path d=\"M0 0L8 4L0 8z\" fill=\"{color}\"/></marker>\n"
        ));
    }
    out.push_str("  </defs>\n");
    let mut parallel: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for edge in &graph.edges {
        let (Some(from), Some(to)) = (places.get(edge.from), places.get(edge.to)) else { continue };
        let nth = parallel.entry((edge.from, edge.to)).or_default();
        out.push_str(&draw_edge(edge, *from, *to, *nth));
        *nth += 1;
    }
    for (node, (column, row)) in graph.nodes.iter().zip(&places) {
        let (x, y) = (MARGIN + column * COLUMN, MARGIN + row * ROW);
        out.push_str(&format!(
            "  <g><rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"8\" fill=\"#f6f8fa\" \
             stroke=\"#57606a\"/><text x=\"{tx}\" y=\"{ty}\" text-anchor=\"middle\" font-weight=\"600\" \
             fill=\"#1f2328\">{kind}</text><text x=\"{tx}\" y=\"{ny}\" text-anchor=\"middle\" fill=\"#1f2328\">{name}</text></g>\n",
            tx = x + BOX_WIDTH / 2,
            ty = y + 21,
            ny = y + 40,
            kind = escape(node.kind),
            name = escape(&shortened(node.name.as_deref().unwrap_or("unknown callers"))),
        ));
    }
    out.push_str("</svg>\n");
    out
}

fn draw_edge(edge: &Edge<'_>, from: (usize, usize), to: (usize, usize), nth: usize) -> String {
    let middle = |row: usize| MARGIN + row * ROW + BOX_HEIGHT / 2 + nth * 16;
    let left = |column: usize| MARGIN + column * COLUMN;
    // a connection to the left, or of a program to itself, leaves and arrives below
    let (x1, x2) = if to.0 > from.0 {
        (left(from.0) + BOX_WIDTH, left(to.0))
    } else {
        (left(from.0) + BOX_WIDTH, left(to.0) + BOX_WIDTH)
    };
    let (y1, y2) = (middle(from.1), middle(to.1));
    let bend = if to.0 > from.0 { (x1 + x2) / 2 } else { x1.max(x2) + 60 };
    let (color, name) = (edge.color(), edge.color_name());
    let text_x = if to.0 > from.0 { bend } else { bend + 4 };
    let text_y = usize::midpoint(y1, y2).saturating_sub(20);
    format!(
        "  <g><title>{title}</title><path d=\"M{x1} {y1}C{bend} {y1} {bend} {y2} {x2} {y2}\" fill=\"none\" \
         stroke=\"{color}\" stroke-width=\"2\" marker-end=\"url(#arrow-{name})\"/><text x=\"{text_x}\" y=\"{text_y}\" \
         text-anchor=\"middle\" fill=\"{color}\">{url}<tspan x=\"{text_x}\" dy=\"15\">{words}</tspan></text></g>\n",
        title = escape(&edge.title()),
        url = escape(&shortened(&edge.connection.url)),
        words = escape(&edge.words()),
    )
}

fn shortened(text: &str) -> String {
    const MOST: usize = 28;
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

    /// Column and row of every node: a server stands to the right of its clients, as far as there is no circle.
    fn places(&self) -> Vec<(usize, usize)> {
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
        let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
        let place = |column: usize| {
            let row = rows.entry(column).or_default();
            *row += 1;
            (column, *row - 1)
        };
        columns.into_iter().map(place).collect()
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
            (Outcome::Completes, _, Some(true)) => "completes, only the client authenticated".to_owned(),
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
                if prediction.server_authenticated == Some(true)
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

//! Trims a WebAssembly module to the exports that somebody calls.
//!
//! The SDK exports every callback there is, and a host calls whichever is exported. What was reachable through the
//! others alone goes with them, imports included; what is called most often gets the smallest numbers, which are the
//! shortest; of functions that are the same one is kept; and the linker's numbers, padded for its own later convenience, are written as short as they are.

use std::cmp::Reverse;
use std::collections::HashMap;

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{CodeSection, ExportSection, FunctionSection, ImportSection, Module};
use wasmparser::{
    CodeSectionReader, CustomSectionReader, ElementItems, Export, ExternalKind, FunctionSectionReader,
    Import, Operator, Parser, Payload, TypeRef,
};

/// What a host needs of a filter that looks at request headers; every further callback that is exported is called, and
/// costs.
pub const CALLED: [&str; 8] = [
    "_initialize",
    "malloc",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_request_headers",
];

/// Trims a module to these exports; an error if one of them is not there.
pub fn trim(module: &[u8], exports: &[&str]) -> Result<Vec<u8>, String> {
    let graph = Graph::read(module, exports).map_err(|error| error.to_string())?;
    for name in exports {
        if !graph.exported.contains(&(*name).to_owned()) {
            return Err(format!("the module does not export {name}"));
        }
    }
    let order = graph.order();
    let new: HashMap<usize, u32> = std::iter::zip(order.iter().copied(), 0..).collect();
    let numbers = (0..graph.same.len())
        .filter_map(|old| Some((u32::try_from(old).ok()?, *new.get(&graph.same(old))?)))
        .collect();
    let mut trimmed = Module::new();
    Trim { exports, order, numbers, imports: graph.imports }
        .parse_core_module(&mut trimmed, Parser::new(0), module)
        .map_err(|error| error.to_string())?;
    Ok(trimmed.finish())
}

/// Which function calls which; imported functions come first, as in every module.
#[derive(Default)]
struct Graph {
    imports: usize,
    /// What each function of the module's own calls.
    calls: Vec<Vec<usize>>,
    /// For each function the first that is the same, byte by byte.
    same: Vec<usize>,
    /// Kept exports, and functions that can be called through a table.
    roots: Vec<usize>,
    exported: Vec<String>,
}

// === impl Graph ===

impl Graph {
    fn read(module: &[u8], exports: &[&str]) -> Result<Self, wasmparser::BinaryReaderError> {
        let mut graph = Graph::default();
        let mut types = Vec::new();
        let mut bodies = HashMap::new();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ImportSection(section) => {
                    for import in section {
                        graph.imports += usize::from(matches!(import?.ty, TypeRef::Func(_)));
                    }
                    graph.same.extend(0..graph.imports);
                }
                Payload::FunctionSection(section) => {
                    types = section.into_iter().collect::<Result<Vec<u32>, _>>()?;
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        if exports.contains(&export.name) {
                            graph.exported.push(export.name.to_owned());
                            if export.kind == ExternalKind::Func {
                                graph.roots.push(index(export.index));
                            }
                        }
                    }
                }
                Payload::StartSection { func, .. } => graph.roots.push(index(func)),
                Payload::ElementSection(section) => {
                    for element in section {
                        if let ElementItems::Functions(functions) = element?.items {
                            for function in functions {
                                graph.roots.push(index(function?));
                            }
                        }
                    }
                }
                Payload::CodeSectionEntry(body) => {
                    let kind = types.get(graph.calls.len()).copied();
                    let first = bodies.entry((kind, body.as_bytes().to_vec())).or_insert(graph.same.len());
                    graph.same.push(*first);
                    let mut called = Vec::new();
                    for operator in body.get_operators_reader()? {
                        match operator? {
                            Operator::Call { function_index }
                            | Operator::ReturnCall { function_index }
                            | Operator::RefFunc { function_index } => called.push(index(function_index)),
                            _ => {}
                        }
                    }
                    graph.calls.push(called);
                }
                _ => {}
            }
        }
        Ok(graph)
    }

    fn same(&self, function: usize) -> usize {
        self.same.get(function).copied().unwrap_or(function)
    }

    /// The functions that can be reached, in their new order.
    fn order(&self) -> Vec<usize> {
        let mut counts = vec![0usize; self.imports + self.calls.len()];
        let mut open = self.roots.clone();
        while let Some(function) = open.pop() {
            let function = self.same(function);
            let Some(count) = counts.get_mut(function) else { continue };
            *count += 1;
            if *count == 1 {
                let own = function.checked_sub(self.imports);
                open.extend(own.and_then(|own| self.calls.get(own)).into_iter().flatten());
            }
        }
        let mut order: Vec<usize> = (0..counts.len()).filter(|function| counts[*function] > 0).collect();
        order.sort_by_key(|function| (*function >= self.imports, Reverse(counts[*function]), *function));
        order
    }
}

struct Trim<'e> {
    exports: &'e [&'e str],
    /// Old numbers in their new order.
    order: Vec<usize>,
    /// New numbers by old ones.
    numbers: HashMap<u32, u32>,
    imports: usize,
}

impl Trim<'_> {
    /// The functions of the module's own that stay, counted without imports.
    fn own(&self) -> impl Iterator<Item = usize> {
        self.order.iter().filter_map(|function| function.checked_sub(self.imports))
    }
}

impl Reencode for Trim<'_> {
    type Error = String;

    fn function_index(&mut self, function: u32) -> Result<u32, Error<String>> {
        self.numbers
            .get(&function)
            .copied()
            .ok_or_else(|| Error::UserError(format!("function {function} is called and was not reached")))
    }

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: wasmparser::ImportSectionReader<'_>,
    ) -> Result<(), Error<String>> {
        let imported = section.into_iter().collect::<Result<Vec<_>, _>>()?;
        let (functions, others): (Vec<Import<'_>>, Vec<Import<'_>>) =
            imported.into_iter().partition(|import| matches!(import.ty, TypeRef::Func(_)));
        let kept: Vec<usize> = self.order.iter().copied().filter(|old| *old < self.imports).collect();
        let kept = kept.iter().filter_map(|old| functions.get(*old));
        for import in kept.chain(&others) {
            utils::parse_import(self, imports, *import)?;
        }
        Ok(())
    }

    fn parse_export(&mut self, exports: &mut ExportSection, export: Export<'_>) -> Result<(), Error<String>> {
        if self.exports.contains(&export.name) { utils::parse_export(self, exports, export) } else { Ok(()) }
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error<String>> {
        let types = section.into_iter().collect::<Result<Vec<u32>, _>>()?;
        for own in self.own() {
            if let Some(kind) = types.get(own) {
                functions.function(*kind);
            }
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), Error<String>> {
        let bodies = section.into_iter().collect::<Result<Vec<_>, _>>()?;
        for own in self.own().collect::<Vec<_>>() {
            if let Some(body) = bodies.get(own) {
                utils::parse_function_body(self, code, body.clone())?;
            }
        }
        Ok(())
    }

    fn parse_custom_section(
        &mut self,
        _: &mut Module,
        _: CustomSectionReader<'_>,
    ) -> Result<(), Error<String>> {
        // names and producers: nothing that a host reads
        Ok(())
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

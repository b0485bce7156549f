//! Trims a WebAssembly module to what the exports that somebody calls can reach.
//!
//! The SDK exports every callback there is, and a host calls whichever is exported. What was reachable through the
//! others alone goes with them, imports, functions and data; what only prepares the message of a panic goes too
//! ([`doomed`]); what is called most often gets the smallest numbers, which are the shortest; of functions that are
//! the same one is kept; and the linker's numbers, padded for its own later convenience, are written as short as they
//! are. What stays of the memory and of the table stays where it is.

pub mod doomed;
pub mod linked;
pub mod reach;

use std::collections::HashMap;
use std::ops::Range;

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ElementSection, Elements, ExportSection, Function, FunctionSection,
    ImportSection, Module,
};
use wasmparser::{
    CodeSectionReader, CustomSectionReader, DataKind, DataSectionReader, ElementItems, ElementKind,
    ElementSectionReader, Export, FunctionSectionReader, Import, Operator, Parser, TypeRef,
};

use self::linked::{Linked, index};
use self::reach::Reached;

/// What a host needs of a filter that looks at request headers; every further callback that is exported is called, and
/// costs. In Envoy there is `proxy_on_tick` besides, which no request waits for.
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

/// Trims a module, linked with `--emit-relocs`, to these exports; an error if one of them is not there.
pub fn trim(module: &[u8], exports: &[&str]) -> Result<Vec<u8>, String> {
    let linked = Linked::read(module)?;
    for name in exports {
        if !linked.exports.iter().any(|(export, _)| export == name) {
            return Err(format!("the module does not export {name}"));
        }
    }
    trim_linked(module, linked, exports, &[])
}

/// The same, with all that it exports, and with custom sections that somebody reads afterwards.
pub fn trim_keeping(module: &[u8], sections: &[&str]) -> Result<Vec<u8>, String> {
    let linked = Linked::read(module)?;
    let exports: Vec<String> = linked.exports.iter().map(|(name, _)| (*name).to_owned()).collect();
    let exports: Vec<&str> = exports.iter().map(String::as_str).collect();
    trim_linked(module, linked, &exports, sections)
}

fn trim_linked(
    module: &[u8],
    mut linked: Linked<'_>,
    exports: &[&str],
    sections: &[&str],
) -> Result<Vec<u8>, String> {
    doomed::cut(&mut linked)?;
    let reached = Reached::from(&linked, exports);
    let new: HashMap<usize, u32> = std::iter::zip(reached.order.iter().copied(), 0..).collect();
    let numbers = reached.same.iter().enumerate();
    let numbers =
        numbers.filter_map(|(old, same)| Some((u32::try_from(old).ok()?, *new.get(same)?))).collect();
    let mut trimmed = Module::new();
    Trim { exports, sections, linked, reached, numbers, module }
        .parse_core_module(&mut trimmed, Parser::new(0), module)
        .map_err(|error| error.to_string())?;
    Ok(trimmed.finish())
}

/// A gap that is shorter costs less than the head of another piece.
const GAP: usize = 8;

struct Trim<'m> {
    exports: &'m [&'m str],
    /// Custom sections that stay.
    sections: &'m [&'m str],
    linked: Linked<'m>,
    reached: Reached,
    /// New numbers by old ones.
    numbers: HashMap<u32, u32>,
    module: &'m [u8],
}

impl Trim<'_> {
    /// The functions of the module's own that stay, counted without imports.
    fn own(&self) -> impl Iterator<Item = usize> {
        self.reached.order.iter().filter_map(|function| function.checked_sub(self.linked.imports))
    }

    /// The pieces of a data segment that are used and are not zero, as the memory is without them.
    fn pieces(&self, segment: &Range<usize>) -> Vec<Range<usize>> {
        let mut wanted: Vec<usize> = self
            .reached
            .data
            .iter()
            .flat_map(|place| place.start.max(segment.start)..place.end.min(segment.end))
            .filter(|at| self.module.get(*at).is_some_and(|byte| *byte != 0))
            .collect();
        wanted.sort_unstable();
        let mut pieces: Vec<Range<usize>> = Vec::new();
        for at in wanted {
            match pieces.last_mut() {
                Some(piece) if at <= piece.end + GAP => piece.end = at + 1,
                _ => pieces.push(at..at + 1),
            }
        }
        pieces
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
        let kept = self.reached.order.iter().filter(|old| **old < self.linked.imports);
        let kept: Vec<Import<'_>> = kept.filter_map(|old| functions.get(*old).copied()).collect();
        for import in kept.iter().chain(&others) {
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

    fn parse_element_section(
        &mut self,
        elements: &mut ElementSection,
        section: ElementSectionReader<'_>,
    ) -> Result<(), Error<String>> {
        for element in section {
            let element = element?;
            let (ElementKind::Active { table_index, offset_expr }, ElementItems::Functions(functions)) =
                (element.kind, element.items)
            else {
                continue;
            };
            let base = constant(&offset_expr)?;
            let mut piece: Vec<u32> = Vec::new();
            let mut start = base;
            for (place, function) in (base..).zip(functions) {
                let function = function?;
                if self.reached.addressed.get(index(function)) == Some(&true) {
                    if piece.is_empty() {
                        start = place;
                    }
                    piece.push(self.function_index(function)?);
                } else if !piece.is_empty() {
                    let piece = std::mem::take(&mut piece);
                    elements.active(
                        table_index,
                        &ConstExpr::i32_const(start),
                        Elements::Functions(piece.into()),
                    );
                }
            }
            if !piece.is_empty() {
                elements.active(table_index, &ConstExpr::i32_const(start), Elements::Functions(piece.into()));
            }
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        _: CodeSectionReader<'_>,
    ) -> Result<(), Error<String>> {
        for own in self.own().collect::<Vec<_>>() {
            let Some(function) = self.linked.functions.get(own) else { continue };
            let mut locals = Vec::new();
            if function.locals != [0] {
                for local in function.body.get_locals_reader()? {
                    let (count, kind) = local?;
                    locals.push((count, kind));
                }
            }
            let operators = function.operators.clone();
            let locals = locals.into_iter().map(|(count, kind)| Ok((count, self.val_type(kind)?)));
            let mut body = Function::new(locals.collect::<Result<Vec<_>, Error<String>>>()?);
            for (operator, _) in operators {
                body.instruction(&self.instruction(operator)?);
            }
            code.function(&body);
        }
        Ok(())
    }

    fn parse_data_section(
        &mut self,
        data: &mut DataSection,
        section: DataSectionReader<'_>,
    ) -> Result<(), Error<String>> {
        for (segment, place) in section.into_iter().zip(self.linked.segments.clone()) {
            let DataKind::Active { memory_index, offset_expr } = segment?.kind else {
                return Err(Error::UserError("data that waits for its place is not expected".to_owned()));
            };
            let base = constant(&offset_expr)?;
            for piece in self.pieces(&place) {
                let offset = i32::try_from(piece.start - place.start).unwrap_or(i32::MAX);
                let bytes = self.module.get(piece).unwrap_or_default();
                data.active(memory_index, &ConstExpr::i32_const(base + offset), bytes.iter().copied());
            }
        }
        Ok(())
    }

    fn parse_custom_section(
        &mut self,
        module: &mut Module,
        section: CustomSectionReader<'_>,
    ) -> Result<(), Error<String>> {
        // not names, relocations and producers: nothing that a host reads
        if self.sections.contains(&section.name()) {
            utils::parse_custom_section(self, module, section)
        } else {
            Ok(())
        }
    }
}

/// The number that a place is given by.
fn constant(expression: &wasmparser::ConstExpr<'_>) -> Result<i32, Error<String>> {
    match expression.get_operators_reader().read()? {
        Operator::I32Const { value } => Ok(value),
        other => Err(Error::UserError(format!("a place is given by {other:?}"))),
    }
}

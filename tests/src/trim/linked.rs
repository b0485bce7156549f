//! A module as the linker leaves it with `--emit-relocs`: what its code is, and which function or data each of its
//! numbers stands for.

use std::ops::Range;

use wasmparser::{
    BinaryReaderError, ElementItems, ElementKind, ExternalKind, FunctionBody, KnownCustom, Linking, Operator,
    Parser, Payload, RelocationEntry, SymbolInfo, TypeRef,
};

/// A module with its relocations; positions are offsets in its bytes.
#[derive(Default)]
pub struct Linked<'m> {
    /// How many functions are imported; they come first, as in every module.
    pub imports: usize,
    /// The module's own functions.
    pub functions: Vec<Function<'m>>,
    /// What a relocation's index stands for.
    pub symbols: Vec<Symbol<'m>>,
    /// Where data, by position, holds the address of which symbol.
    pub in_data: Vec<(usize, usize)>,
    /// Where the bytes of each data segment are.
    pub segments: Vec<Range<usize>>,
    /// Exported functions by name; other exports with none.
    pub exports: Vec<(&'m str, Option<usize>)>,
}

/// One function of the module's own.
pub struct Function<'m> {
    /// Its type's number.
    pub kind: u32,
    /// Its declared locals, as bytes.
    pub locals: &'m [u8],
    /// The whole of it.
    pub body: FunctionBody<'m>,
    /// Its instructions, and where they are.
    pub operators: Vec<(Operator<'m>, Range<usize>)>,
    /// Where its code, by position, holds the address of which symbol.
    pub addresses: Vec<(usize, usize)>,
}

/// What the linker knew by a name.
#[derive(Debug, Clone)]
pub enum Symbol<'m> {
    /// A function by its number.
    Function(usize, &'m str),
    /// Data by its position.
    Data(Range<usize>),
    /// A global by its number.
    Global(u32, &'m str),
    /// Neither is in the module.
    Other,
}

// === impl Linked ===

impl<'m> Linked<'m> {
    /// Reads a module; an error if the linker left no relocations in it.
    pub fn read(module: &'m [u8]) -> Result<Self, String> {
        let mut linked = Linked::default();
        let mut kinds = Vec::new();
        let (mut code, mut data) = (0, 0);
        let mut found = false;
        for payload in Parser::new(0).parse_all(module) {
            match payload.map_err(text)? {
                Payload::ImportSection(section) => {
                    for import in section {
                        linked.imports += usize::from(matches!(import.map_err(text)?.ty, TypeRef::Func(_)));
                    }
                }
                Payload::FunctionSection(section) => {
                    kinds = section.into_iter().collect::<Result<Vec<u32>, _>>().map_err(text)?;
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.map_err(text)?;
                        let function = (export.kind == ExternalKind::Func).then(|| index(export.index));
                        linked.exports.push((export.name, function));
                    }
                }
                Payload::StartSection { .. } => return Err("a start function is not expected".to_owned()),
                Payload::ElementSection(section) => {
                    for element in section {
                        let element = element.map_err(text)?;
                        let plain = matches!(element.kind, ElementKind::Active { .. })
                            && matches!(element.items, ElementItems::Functions(_));
                        if !plain {
                            return Err("a table is filled in an unexpected way".to_owned());
                        }
                    }
                }
                Payload::CodeSectionStart { range, .. } => code = range.start,
                Payload::CodeSectionEntry(body) => {
                    let kind = kinds.get(linked.functions.len()).copied().ok_or("a function has no type")?;
                    linked.functions.push(Function::read(kind, body, module).map_err(text)?);
                }
                Payload::DataSection(section) => {
                    data = section.range().start;
                    for segment in section {
                        let segment = segment.map_err(text)?;
                        let end = segment.range.end;
                        linked.segments.push(end.saturating_sub(segment.data.len())..end);
                    }
                }
                Payload::CustomSection(section) => match (section.name(), section.as_known()) {
                    ("linking", KnownCustom::Linking(linking)) => {
                        for part in linking.subsections() {
                            if let Linking::SymbolTable(symbols) = part.map_err(text)? {
                                for symbol in symbols {
                                    let symbol = linked.symbol(symbol.map_err(text)?);
                                    linked.symbols.push(symbol);
                                }
                            }
                        }
                    }
                    ("reloc.CODE", KnownCustom::Reloc(relocations)) => {
                        found = true;
                        for relocation in relocations.entries() {
                            linked.in_code(code, relocation.map_err(text)?)?;
                        }
                    }
                    ("reloc.DATA", KnownCustom::Reloc(relocations)) => {
                        for relocation in relocations.entries() {
                            let relocation = relocation.map_err(text)?;
                            linked.in_data.push((data + index(relocation.offset), index(relocation.index)));
                        }
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        linked.in_data.sort_unstable();
        if found {
            Ok(linked)
        } else {
            Err("the module has no relocations: link it with --emit-relocs".to_owned())
        }
    }

    /// A function of the module's own by its number among all.
    pub fn function(&self, number: usize) -> Option<&Function<'m>> {
        self.functions.get(number.checked_sub(self.imports)?)
    }

    /// The number of the global that holds the stack's end.
    pub fn stack_pointer(&self) -> Option<u32> {
        self.symbols.iter().find_map(|symbol| match symbol {
            Symbol::Global(number, "__stack_pointer") => Some(*number),
            _ => None,
        })
    }

    fn symbol(&self, symbol: SymbolInfo<'m>) -> Symbol<'m> {
        match symbol {
            SymbolInfo::Func { index: number, name, .. } => {
                Symbol::Function(index(number), name.unwrap_or_default())
            }
            SymbolInfo::Global { index, name, .. } => Symbol::Global(index, name.unwrap_or_default()),
            SymbolInfo::Data { symbol: Some(place), .. } => match self.segments.get(index(place.index)) {
                Some(segment) => {
                    let start = segment.start + index(place.offset);
                    Symbol::Data(start..start + index(place.size))
                }
                None => Symbol::Other,
            },
            _ => Symbol::Other,
        }
    }

    fn in_code(&mut self, code: usize, relocation: RelocationEntry) -> Result<(), String> {
        let at = code + index(relocation.offset);
        let number = self.functions.partition_point(|function| function.body.range().end <= at);
        let function = self.functions.get_mut(number).ok_or("a relocation is outside of all functions")?;
        if !matches!(relocation.ty, wasmparser::RelocationType::TypeIndexLeb) {
            function.addresses.push((at, index(relocation.index)));
        }
        Ok(())
    }
}

// === impl Function ===

impl<'m> Function<'m> {
    fn read(kind: u32, body: FunctionBody<'m>, module: &'m [u8]) -> Result<Self, BinaryReaderError> {
        let mut operators: Vec<(Operator<'m>, Range<usize>)> = Vec::new();
        for operator in body.get_operators_reader()?.into_iter_with_offsets() {
            let (operator, start) = operator?;
            if let Some((_, before)) = operators.last_mut() {
                before.end = start;
            }
            operators.push((operator, start..body.range().end));
        }
        let first = operators.first().map_or(body.range().end, |(_, place)| place.start);
        let locals = module.get(body.range().start..first).unwrap_or_default();
        Ok(Function { kind, locals, body, operators, addresses: Vec::new() })
    }

    /// The symbols whose addresses the remaining instructions use.
    pub fn symbols(&self) -> impl Iterator<Item = usize> {
        self.addresses.iter().filter_map(|(at, symbol)| {
            let next = self.operators.partition_point(|(_, place)| place.end <= *at);
            let (_, place) = self.operators.get(next)?;
            place.contains(at).then_some(*symbol)
        })
    }
}

/// A number of the module's as an index.
pub fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn text(error: BinaryReaderError) -> String {
    error.to_string()
}

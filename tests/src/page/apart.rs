//! A module's constants as a file of their own. They are texts and tables: the rules' pages, messages, the fields that
//! Envoy knows. What loads the module fetches both at once and copies the file into the module's memory, where the
//! constants would have stood anyway, before it calls anything.

use std::error::Error;

use wasm_encoder::reencode::{self, Reencode, utils};
use wasm_encoder::{
    ConstExpr, DataSection, ExportKind, ExportSection, GlobalSection, GlobalType, Module, ValType,
};
use wasmparser::{
    DataKind, DataSectionReader, ExportSectionReader, GlobalSectionReader, Operator, Parser, Payload, TypeRef,
};

/// A module, and what its memory begins with.
pub struct Apart {
    /// The module. It exports where the constants belong (`constants_at`) and their hash (`constants_hash`): a file
    /// of another build would be worse than none.
    pub module: Vec<u8>,
    /// The constants.
    pub constants: Vec<u8>,
}

/// Takes the constants out of a module.
pub fn apart(module: &[u8]) -> Result<Apart, Box<dyn Error>> {
    let mut constants = Vec::new();
    let mut first = None;
    let mut globals = 0;
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section {
                    globals += u32::from(matches!(import?.ty, TypeRef::Global(_)));
                }
            }
            Payload::GlobalSection(section) => globals += section.count(),
            Payload::DataSection(section) => {
                for segment in section {
                    let segment = segment?;
                    let at = address(&segment.kind)?;
                    let offset =
                        at.checked_sub(*first.get_or_insert(at)).ok_or("segments are out of order")?;
                    let offset = usize::try_from(offset)?;
                    if offset < constants.len() {
                        return Err("segments overlap".into());
                    }
                    constants.resize(offset, 0);
                    constants.extend_from_slice(segment.data);
                }
            }
            _ => {}
        }
    }
    let mut without = Without { globals, at: first.ok_or("no constants")?, hash: hash(&constants) };
    let mut out = Module::new();
    without.parse_core_module(&mut out, Parser::new(0), module).map_err(|error| format!("{error}"))?;
    Ok(Apart { module: out.finish(), constants })
}

/// Where a segment belongs.
fn address(kind: &DataKind<'_>) -> Result<i32, Box<dyn Error>> {
    let DataKind::Active { memory_index: 0, offset_expr } = kind else {
        return Err("a segment that is not copied at the start".into());
    };
    match offset_expr.get_operators_reader().read()? {
        Operator::I32Const { value } => Ok(value),
        other => Err(format!("a segment at {other:?}").into()),
    }
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Writes a module without its constants.
struct Without {
    /// How many globals it has.
    globals: u32,
    at: i32,
    hash: u32,
}

type Written = Result<(), reencode::Error<std::convert::Infallible>>;

impl Reencode for Without {
    type Error = std::convert::Infallible;

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: GlobalSectionReader<'_>,
    ) -> Written {
        utils::parse_global_section(self, globals, section)?;
        let kind = GlobalType { val_type: ValType::I32, mutable: false, shared: false };
        globals.global(kind, &ConstExpr::i32_const(self.at));
        globals.global(kind, &ConstExpr::i32_const(self.hash.cast_signed()));
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: ExportSectionReader<'_>,
    ) -> Written {
        utils::parse_export_section(self, exports, section)?;
        exports.export("constants_at", ExportKind::Global, self.globals);
        exports.export("constants_hash", ExportKind::Global, self.globals + 1);
        Ok(())
    }

    fn parse_data_section(&mut self, _: &mut DataSection, _: DataSectionReader<'_>) -> Written {
        Ok(())
    }

    fn data_count(&mut self, _: u32) -> Result<u32, reencode::Error<Self::Error>> {
        Ok(0)
    }
}

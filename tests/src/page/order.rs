//! Functions that are alike stand together: gzip looks back over 32 KB only, and a module out of generic code has the
//! same function many times over, far apart. The module does what it did; only its order and its indices change.

use std::cmp::Reverse;
use std::convert::Infallible;
use std::error::Error;

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{CodeSection, FunctionSection, Module};
use wasmparser::{
    CodeSectionReader, FunctionBody, FunctionSectionReader, Operator, Parser, Payload, TypeRef,
};

/// Functions that are called most have indices of one byte.
const SHORT: usize = 112;
/// How much of a function is compared at a time, in bytes.
const PIECE: usize = 5;
/// What stands in more functions than this tells nothing apart.
const COMMON: usize = 400;
/// How many functions the next one is compared with.
const BEHIND: usize = 4;
/// Less in common, in thousandths, is likeness by chance.
const LEAST: usize = 10;

/// The same module in another order.
pub fn by_likeness(module: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let (imported, bodies) = functions(module)?;
    let order = order(&bodies, &calls(&bodies, imported)?);
    let mut new = vec![0; bodies.len()];
    for (to, from) in order.iter().enumerate() {
        new[*from] = imported + u32::try_from(to)?;
    }
    let mut out = Module::new();
    let mut moved = Moved { imported, order, new };
    moved.parse_core_module(&mut out, Parser::new(0), module).map_err(|error| format!("{error}"))?;
    Ok(out.finish())
}

/// The number of imported functions, and the bodies of the others.
fn functions(module: &[u8]) -> Result<(u32, Vec<FunctionBody<'_>>), Box<dyn Error>> {
    let (mut imported, mut bodies) = (0, Vec::new());
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section {
                    imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body),
            _ => {}
        }
    }
    Ok((imported, bodies))
}

/// How often each function is called, by the text of the module.
fn calls(bodies: &[FunctionBody<'_>], imported: u32) -> Result<Vec<usize>, Box<dyn Error>> {
    let mut calls = vec![0; bodies.len()];
    for body in bodies {
        for operator in body.get_operators_reader()? {
            let Operator::Call { function_index } = operator? else { continue };
            let own = function_index.checked_sub(imported).and_then(|index| usize::try_from(index).ok());
            if let Some(count) = own.and_then(|own| calls.get_mut(own)) {
                *count += 1;
            }
        }
    }
    Ok(calls)
}

/// First what is called most; then, each time, what is most like the last ones.
fn order(bodies: &[FunctionBody<'_>], calls: &[usize]) -> Vec<usize> {
    let pieces = Pieces::of(bodies);
    let mut often: Vec<usize> = (0..bodies.len()).collect();
    often.sort_by_key(|function| Reverse(calls[*function]));
    let mut order: Vec<usize> = often.into_iter().take(SHORT).collect();
    let mut placed = vec![false; bodies.len()];
    for function in &order {
        placed[*function] = true;
    }
    // what is like nothing else at least ends alike
    let mut rest: Vec<usize> = (0..bodies.len()).collect();
    rest.sort_by(|a, b| bodies[*a].as_bytes().iter().rev().cmp(bodies[*b].as_bytes().iter().rev()));
    let mut rest = rest.into_iter();
    let mut shared = vec![0_usize; bodies.len()];
    while order.len() < bodies.len() {
        let mut met = Vec::new();
        for last in order.iter().rev().take(BEHIND) {
            for piece in &pieces.within[*last] {
                for function in &pieces.holders[*piece] {
                    if !placed[*function] {
                        if shared[*function] == 0 {
                            met.push(*function);
                        }
                        shared[*function] += 1;
                    }
                }
            }
        }
        let likeness = |function: usize| shared[function] * 1000 / (PIECE + pieces.counts[function]);
        let best = met.iter().copied().max_by_key(|function| (likeness(*function), Reverse(*function)));
        let next = best
            .filter(|function| likeness(*function) >= LEAST)
            .or_else(|| rest.find(|function| !placed[*function]));
        for function in met {
            shared[function] = 0;
        }
        let Some(next) = next else { break };
        placed[next] = true;
        order.push(next);
    }
    order
}

/// Which functions have which pieces in common.
struct Pieces {
    /// How many different pieces each function has.
    counts: Vec<usize>,
    /// Of each function, the pieces that stand in others too.
    within: Vec<Vec<usize>>,
    /// Of each such piece, the functions.
    holders: Vec<Vec<usize>>,
}

impl Pieces {
    fn of(bodies: &[FunctionBody<'_>]) -> Self {
        // a piece and its function in one number, so that one sort brings equal pieces together
        let number = |piece: &[u8]| piece.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let mut all: Vec<u64> = Vec::new();
        let mut counts = Vec::new();
        for (function, body) in (0_u64..).zip(bodies) {
            let mut own: Vec<u64> = body.as_bytes().windows(PIECE).map(number).collect();
            own.sort_unstable();
            own.dedup();
            counts.push(own.len());
            all.extend(own.into_iter().map(|piece| piece << 24 | function));
        }
        all.sort_unstable();
        let mut within = vec![Vec::new(); bodies.len()];
        let mut holders = Vec::new();
        for same in all.chunk_by(|a, b| a >> 24 == b >> 24) {
            if (2..COMMON).contains(&same.len()) {
                let functions = same.iter().filter_map(|one| usize::try_from(one & 0xff_ffff).ok());
                let functions: Vec<usize> = functions.collect();
                for function in &functions {
                    within[*function].push(holders.len());
                }
                holders.push(functions);
            }
        }
        Self { counts, within, holders }
    }
}

/// Writes a module with its functions in another order.
struct Moved {
    imported: u32,
    /// Which function stands where, both without the imported ones.
    order: Vec<usize>,
    /// The new index of each function that is not imported.
    new: Vec<u32>,
}

impl Reencode for Moved {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error<Infallible>> {
        let own = function.checked_sub(self.imported).and_then(|index| usize::try_from(index).ok());
        Ok(own.map_or(function, |own| self.new[own]))
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), reencode::Error<Infallible>> {
        let types = section.into_iter().collect::<Result<Vec<u32>, _>>()?;
        for from in &self.order {
            functions.function(types[*from]);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), reencode::Error<Infallible>> {
        let bodies = section.into_iter().collect::<Result<Vec<_>, _>>()?;
        for from in self.order.clone() {
            self.parse_function_body(code, bodies[from].clone())?;
        }
        Ok(())
    }
}

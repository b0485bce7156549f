//! What only prepares a panic's message, which nobody reads.
//!
//! On wasm32-unknown-unknown the standard library formats a panic's message, writes it to a standard error that does
//! not exist, and traps. The gateway sees the trap and nothing else. So a call that ends there may trap at once, and
//! what was computed for it alone, straight before it and without any effect, need not be computed. What has
//! an effect stays: every call, and every store but those to the function's own frame, which dies with it.
//!
//! A panic hook would read the message: a module with one is refused.

use std::collections::{HashMap, HashSet};

use wasmparser::Operator;

use super::linked::{Function, Linked, Symbol, index};

/// Where the standard library takes a panic over, and an allocation that failed.
const ENTRANCES: [&str; 3] = ["rust_begin_unwind", "5alloc8rust_oom", "9panicking15panic_with_hook"];

/// What lets somebody read a panic's message.
const HOOKS: [&str; 2] = ["9panicking8set_hook", "9panicking11update_hook"];

/// Replaces panics by the trap they end in, and takes away what was computed for them.
pub fn cut(linked: &mut Linked<'_>) -> Result<(), String> {
    if !named(linked, &HOOKS).is_empty() {
        return Err("somebody reads the messages of panics: they cannot be cut".to_owned());
    }
    let mut doomed = named(linked, &ENTRANCES);
    if doomed.is_empty() {
        return Err("the entrance of panics is not in the module".to_owned());
    }
    let stack = linked.stack_pointer().ok_or("the module has no stack pointer")?;
    let imports = linked.imports;
    loop {
        let before = doomed.len();
        for (own, function) in linked.functions.iter_mut().enumerate() {
            let number = imports + own;
            cut_before_traps(function, &doomed, stack);
            if doomed.contains(&number) || only_traps(function, &doomed, stack) {
                doomed.insert(number);
            }
        }
        if doomed.len() == before {
            break;
        }
    }
    for number in doomed {
        let function = number.checked_sub(imports).and_then(|own| linked.functions.get_mut(own));
        if let Some(function) = function {
            reduce_to_trap(function);
        }
    }
    Ok(())
}

/// The functions whose names have one of these in them.
fn named(linked: &Linked<'_>, parts: &[&str]) -> HashSet<usize> {
    let functions = linked.symbols.iter().filter_map(|symbol| match symbol {
        Symbol::Function(number, name) if parts.iter().any(|part| name.contains(part)) => Some(*number),
        _ => None,
    });
    functions.collect()
}

/// Leaves `unreachable` and the function's end.
fn reduce_to_trap(function: &mut Function<'_>) {
    let Some((_, last)) = function.operators.last().cloned() else { return };
    // an empty place, so that no address counts as used
    let nowhere = last.end..last.end;
    function.operators = vec![(Operator::Unreachable, nowhere.clone()), (Operator::End, nowhere)];
    function.locals = &[0];
}

/// Takes away what comes straight before each trap and has no other effect.
fn cut_before_traps(function: &mut Function<'_>, doomed: &HashSet<usize>, stack: u32) {
    let frames = frames(function, stack);
    let mut kept = Vec::with_capacity(function.operators.len());
    let operators = std::mem::take(&mut function.operators);
    // what may go is from here on, in `kept`
    let mut start = 0;
    let mut seen = Values { frames: &frames, locals: HashMap::new(), stack: Vec::new(), pointer: stack };
    let mut operators = operators.into_iter().peekable();
    while let Some((operator, place)) = operators.next() {
        if let Operator::Call { function_index } = operator
            && doomed.contains(&index(function_index))
        {
            // the call itself is the trap; what follows it up to the end of the block is never run
            kept.truncate(start);
            kept.push((Operator::Unreachable, place.end..place.end));
            if operators.peek().is_some_and(|(next, _)| matches!(next, Operator::Unreachable)) {
                operators.next();
            }
            seen.forget();
            start = kept.len();
            continue;
        }
        let trap = matches!(operator, Operator::Unreachable);
        if trap {
            kept.truncate(start);
        }
        let harmless = seen.run(&operator);
        kept.push((operator, place));
        if trap || !harmless {
            start = kept.len();
        }
    }
    function.operators = kept;
}

/// Whether every way through a function ends in a trap, without an effect before it.
fn only_traps(function: &Function<'_>, doomed: &HashSet<usize>, stack: u32) -> bool {
    let frames = frames(function, stack);
    let mut seen = Values { frames: &frames, locals: HashMap::new(), stack: Vec::new(), pointer: stack };
    let mut depth = 0u32;
    let mut before = None;
    for (operator, _) in &function.operators {
        let harmless = match operator {
            Operator::Block { .. } | Operator::If { .. } => {
                depth += 1;
                true
            }
            Operator::Else | Operator::Unreachable => true,
            Operator::End => match depth.checked_sub(1) {
                Some(outer) => {
                    depth = outer;
                    true
                }
                None => return matches!(before, Some(Operator::Unreachable)),
            },
            // beyond the outermost block lies the caller
            Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => *relative_depth < depth,
            Operator::BrTable { targets } => {
                targets.default() < depth
                    && targets.targets().all(|target| target.is_ok_and(|target| target < depth))
            }
            Operator::Call { function_index } => doomed.contains(&index(*function_index)),
            other => seen.run(other),
        };
        if !harmless {
            return false;
        }
        if is_control(operator) {
            seen.forget();
        }
        before = Some(operator.clone());
    }
    false
}

fn is_control(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Block { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::Unreachable
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::Call { .. }
    )
}

/// The locals that always hold the address of the function's own frame: set once, to the stack's end less a number.
fn frames(function: &Function<'_>, stack: u32) -> HashSet<u32> {
    let mut sets: HashMap<u32, usize> = HashMap::new();
    let mut found = Vec::new();
    let mut recent = [const { None }; 3];
    for (operator, _) in &function.operators {
        if let Operator::LocalSet { local_index } | Operator::LocalTee { local_index } = operator {
            *sets.entry(*local_index).or_default() += 1;
            if let [
                Some(Operator::GlobalGet { global_index }),
                Some(Operator::I32Const { .. }),
                Some(Operator::I32Sub),
            ] = &recent
                && *global_index == stack
            {
                found.push(*local_index);
            }
        }
        recent.rotate_left(1);
        if let Some(last) = recent.last_mut() {
            *last = Some(operator.clone());
        }
    }
    found.retain(|local| sets.get(local) == Some(&1));
    found.into_iter().collect()
}

/// Which values of straight code are addresses in the function's own frame.
struct Values<'f> {
    frames: &'f HashSet<u32>,
    locals: HashMap<u32, bool>,
    stack: Vec<bool>,
    pointer: u32,
}

impl Values<'_> {
    fn forget(&mut self) {
        self.locals.clear();
        self.stack.clear();
    }

    /// Follows one instruction; whether it has no effect beyond the function's locals and frame, and goes on to the
    /// next. (That a load, a division or a conversion may trap is no matter where a trap follows.)
    fn run(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::LocalGet { local_index } => {
                let frame = self.is_frame(*local_index);
                self.stack.push(frame);
            }
            Operator::LocalSet { local_index } => {
                let frame = self.stack.pop().unwrap_or_default();
                self.locals.insert(*local_index, frame);
            }
            Operator::LocalTee { local_index } => {
                let frame = self.stack.last().copied().unwrap_or_default();
                self.locals.insert(*local_index, frame);
            }
            Operator::GlobalSet { global_index } if *global_index == self.pointer => {
                self.stack.pop();
            }
            Operator::I32Const { .. }
            | Operator::I64Const { .. }
            | Operator::F32Const { .. }
            | Operator::F64Const { .. }
            | Operator::GlobalGet { .. } => self.stack.push(false),
            Operator::Drop => {
                self.stack.pop();
            }
            Operator::Select => self.take(3, false),
            Operator::I32Add => {
                let (one, other) = (self.stack.pop(), self.stack.pop());
                self.stack.push(one.unwrap_or_default() || other.unwrap_or_default());
            }
            Operator::I32Load { .. }
            | Operator::I64Load { .. }
            | Operator::F32Load { .. }
            | Operator::F64Load { .. }
            | Operator::I32Load8S { .. }
            | Operator::I32Load8U { .. }
            | Operator::I32Load16S { .. }
            | Operator::I32Load16U { .. }
            | Operator::I64Load8S { .. }
            | Operator::I64Load8U { .. }
            | Operator::I64Load16S { .. }
            | Operator::I64Load16U { .. }
            | Operator::I64Load32S { .. }
            | Operator::I64Load32U { .. }
            | Operator::I32Eqz
            | Operator::I64Eqz
            | Operator::I32Clz
            | Operator::I32Ctz
            | Operator::I32Popcnt
            | Operator::I64Clz
            | Operator::I64Ctz
            | Operator::I64Popcnt
            | Operator::I32WrapI64
            | Operator::I64ExtendI32S
            | Operator::I64ExtendI32U
            | Operator::I32Extend8S
            | Operator::I32Extend16S
            | Operator::I64Extend8S
            | Operator::I64Extend16S
            | Operator::I64Extend32S => self.take(1, false),
            Operator::I32Eq
            | Operator::I32Ne
            | Operator::I32LtS
            | Operator::I32LtU
            | Operator::I32GtS
            | Operator::I32GtU
            | Operator::I32LeS
            | Operator::I32LeU
            | Operator::I32GeS
            | Operator::I32GeU
            | Operator::I64Eq
            | Operator::I64Ne
            | Operator::I64LtS
            | Operator::I64LtU
            | Operator::I64GtS
            | Operator::I64GtU
            | Operator::I64LeS
            | Operator::I64LeU
            | Operator::I64GeS
            | Operator::I64GeU
            | Operator::I32Sub
            | Operator::I32Mul
            | Operator::I32DivU
            | Operator::I32RemU
            | Operator::I32And
            | Operator::I32Or
            | Operator::I32Xor
            | Operator::I32Shl
            | Operator::I32ShrS
            | Operator::I32ShrU
            | Operator::I32Rotl
            | Operator::I64Add
            | Operator::I64Sub
            | Operator::I64Mul
            | Operator::I64And
            | Operator::I64Or
            | Operator::I64Xor
            | Operator::I64Shl
            | Operator::I64ShrS
            | Operator::I64ShrU
            | Operator::I64Rotl => self.take(2, false),
            Operator::I32Store { .. }
            | Operator::I64Store { .. }
            | Operator::I32Store8 { .. }
            | Operator::I32Store16 { .. }
            | Operator::I64Store8 { .. }
            | Operator::I64Store16 { .. }
            | Operator::I64Store32 { .. } => {
                self.stack.pop();
                return self.stack.pop().unwrap_or_default();
            }
            // everything else: control, calls, and what the compiler does not write before a panic
            _ => {
                self.forget();
                return false;
            }
        }
        true
    }

    fn is_frame(&self, local: u32) -> bool {
        self.frames.contains(&local) || self.locals.get(&local).copied().unwrap_or_default()
    }

    fn take(&mut self, values: usize, result: bool) {
        self.stack.truncate(self.stack.len().saturating_sub(values));
        self.stack.push(result);
    }
}

//! What of a script is certain to run: not a branch, what follows `||` or a test, a function, what stands after `exit`.

use std::collections::{BTreeMap, VecDeque};

use mtls_identity::sorted;

use super::parser::assignment;
use super::{Command, Word, is_name};

/// What parts one command from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joint {
    /// A line's end, `;`, `&`, `|`.
    Next,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `()`: what follows is a function.
    Head,
    /// `(`
    Open,
    /// `)`
    Close,
}

impl Joint {
    /// The joint that a text begins with, and its length.
    pub(super) fn of(text: &str) -> (Self, usize) {
        let inner = text.strip_prefix('(').map(|rest| rest.trim_start_matches([' ', '\t']));
        match inner {
            Some(inner) if inner.starts_with(')') => (Self::Head, text.len() - inner.len() + 1),
            Some(_) => (Self::Open, 1),
            None if text.starts_with("&&") => (Self::And, 2),
            None if text.starts_with("||") => (Self::Or, 2),
            None if text.starts_with(')') => (Self::Close, 1),
            None => (Self::Next, 1),
        }
    }
}

/// A compound command that is not closed yet.
#[derive(Debug)]
struct Block {
    /// Closed by a parenthesis.
    subshell: bool,
    /// The whole of it is certain to be reached.
    reached: bool,
    /// What stands here now is certain to run.
    certain: bool,
    /// A loop's body runs, once at least.
    body: bool,
    /// The condition of a loop or a branch stands here now.
    condition: bool,
    /// What [`Flow::chain`] was outside.
    chain: bool,
}

/// Follows a script, command by command.
#[derive(Debug)]
pub(super) struct Flow {
    blocks: Vec<Block>,
    joint: Joint,
    /// The head of a function was read: its body runs when it is called.
    function: bool,
    /// The last command was a test.
    tested: bool,
    /// A test decides, through `&&`, about what stands here.
    chain: bool,
    /// Nothing that follows is certain.
    ended: bool,
    /// Variables that commands are given.
    exported: Vec<(String, Word)>,
    hands_on: fn(&str) -> bool,
    known: BTreeMap<String, String>,
    /// Names of functions and aliases: whoever is called so runs no program.
    redefined: Vec<String>,
}

impl Flow {
    pub(super) fn new(environment: &[(String, Word)], hands_on: fn(&str) -> bool) -> Self {
        let known = environment.iter().filter(|(_, value)| value.unseen.is_none());
        Self {
            blocks: Vec::new(),
            joint: Joint::Next,
            function: false,
            tested: false,
            chain: false,
            ended: false,
            known: sorted::map(known.map(|(name, value)| (name.clone(), value.text.clone()))),
            exported: environment.iter().filter(|(name, _)| hands_on(name)).cloned().collect(),
            hands_on,
            redefined: Vec::new(),
        }
    }

    /// A function or an alias takes a name.
    pub(super) fn redefine(&mut self, name: &str) {
        self.redefined.push(name.to_owned());
    }

    /// The variables with which it begins.
    pub(super) fn variables(&mut self) -> BTreeMap<String, String> {
        std::mem::take(&mut self.known)
    }

    /// Goes past a joint; `empty`: no command stands before it. `array`: what opens is the value of a variable.
    pub(super) fn part(&mut self, joint: Joint, empty: bool, array: bool) {
        match joint {
            Joint::Open => {
                let doubt = array || self.doubt();
                self.enter(doubt, true);
                self.joint = Joint::Next;
            }
            Joint::Close => {
                // that of a `case` closes nothing
                if self.blocks.last().is_some_and(|block| block.subshell) {
                    self.leave();
                    self.joint = Joint::Next;
                }
            }
            Joint::Head => self.function = true,
            Joint::And | Joint::Or => self.joint = joint,
            // a line may end after `&&` and `||`
            Joint::Next if empty => {}
            Joint::Next => self.joint = joint,
        }
    }

    /// Whether what begins here may not run although its block does.
    fn doubt(&mut self) -> bool {
        match self.joint {
            Joint::And => self.chain |= self.tested,
            Joint::Or => {}
            _ => self.chain = false,
        }
        self.tested = false;
        std::mem::take(&mut self.function) || self.joint == Joint::Or || self.chain
    }

    fn is_reached(&self) -> bool {
        self.blocks.last().is_none_or(|block| block.certain)
    }

    fn enter(&mut self, doubt: bool, subshell: bool) {
        let reached = self.is_reached() && !doubt;
        let chain = std::mem::take(&mut self.chain);
        self.blocks.push(Block { subshell, reached, certain: reached, body: false, condition: false, chain });
    }

    fn leave(&mut self) {
        if let Some(block) = self.blocks.pop() {
            self.chain = block.chain;
        }
        self.tested = false;
    }

    /// Takes a command; gives it back, with its environment, if it is certain to run.
    pub(super) fn take(
        &mut self,
        command: Command,
        variables: &mut BTreeMap<String, String>,
    ) -> Option<Command> {
        let mut doubt = self.doubt();
        let Command { mut assignments, words } = command;
        let mut words = VecDeque::from(words);
        if assignments.is_empty() {
            self.keywords(&mut words, &mut doubt, variables)?;
            while let Some(assigned) = words.front().and_then(assignment) {
                assignments.push(assigned);
                words.pop_front();
            }
        }
        let certain = self.is_reached() && !doubt && !self.ended;
        let Some(first) = words.front() else {
            for (name, value) in assignments {
                self.set(name, value, certain, false, variables);
            }
            return None;
        };
        let second = words.get(1).map_or("", |word| word.text.as_str());
        match first.text.as_str() {
            keyword @ ("export" | "declare" | "local" | "typeset" | "readonly") => {
                let export = keyword == "export";
                for word in words.iter().skip(1) {
                    match assignment(word) {
                        Some((name, value)) => self.set(name, value, certain, export, variables),
                        None if export && is_name(&word.text) => self.export(word, variables),
                        None => {}
                    }
                }
                return None;
            }
            "unset" | "read" | "getopts" | "mapfile" | "readarray" => {
                for word in words.iter().skip(1).filter(|word| is_name(&word.text)) {
                    self.forget(&word.text, variables);
                }
                return None;
            }
            // they may set anything, or change what every client trusts
            "." | "source" | "eval" | "update-ca-certificates" | "update-ca-trust" => self.ended = true,
            "alias" => {
                for word in words.iter().skip(1) {
                    self.redefine(word.text.split('=').next().unwrap_or_default());
                }
            }
            "set" => {
                let exports = |word: &Word| {
                    let letters = word.text.strip_prefix('-').filter(|letters| !letters.starts_with('-'));
                    letters.is_some_and(|letters| letters.contains('a')) || word.text == "allexport"
                };
                self.ended |= words.iter().any(exports);
            }
            "exit" | "return" => self.ended |= certain,
            "exec" => self.ended |= certain && words.len() > 1,
            "[" | "[[" | "test" | "grep" | "which" | "type" | "hash" => self.tested = true,
            "command" => self.tested = second.starts_with('-'),
            _ => {}
        }
        if !certain || self.redefined.contains(&first.text) {
            return None;
        }
        let given: Vec<(String, Word)> = self
            .exported
            .iter()
            .filter(|(name, _)| !assignments.iter().any(|(own, _)| own == name))
            .cloned()
            .collect();
        assignments.extend(given);
        Some(Command { assignments, words: words.into() })
    }

    /// Takes off what stands before a command: `if`, `then`, `do`, `!` and their like. None: no command is left.
    fn keywords(
        &mut self,
        words: &mut VecDeque<Word>,
        doubt: &mut bool,
        variables: &mut BTreeMap<String, String>,
    ) -> Option<()> {
        while let Some(first) = words.front() {
            let second = words.get(1).map_or("", |word| word.text.as_str());
            match first.text.as_str() {
                keyword @ ("if" | "while" | "until") => {
                    let body = matches!((keyword, second), ("while", "true" | ":") | ("until", "false"));
                    self.enter(std::mem::take(doubt), false);
                    if let Some(block) = self.blocks.last_mut() {
                        (block.body, block.condition) = (body, true);
                    }
                }
                "for" | "select" | "case" => {
                    let items = || words.iter().skip(3);
                    let body = words.get(2).is_some_and(|word| word.text == "in")
                        && items().next().is_some()
                        && !items().any(|word| word.several || word.text.contains(['*', '?', '[']));
                    self.enter(std::mem::take(doubt), false);
                    if let Some(block) = self.blocks.last_mut() {
                        block.body = body && first.text == "for";
                        block.certain = false;
                    }
                    self.forget(second, variables);
                    return None;
                }
                "then" | "elif" | "else" => {
                    if let Some(block) = self.blocks.last_mut() {
                        (block.certain, block.condition) = (false, first.text == "elif");
                    }
                }
                "do" => {
                    if let Some(block) = self.blocks.last_mut() {
                        (block.certain, block.condition) = (block.reached && block.body, false);
                    }
                }
                "fi" | "done" | "esac" | "}" => {
                    self.leave();
                    return None;
                }
                "{" => self.enter(std::mem::take(doubt), false),
                "function" => {
                    self.function = true;
                    let name = second.to_owned();
                    self.redefine(&name);
                    if words.back().is_some_and(|word| word.text == "{") {
                        let function = std::mem::take(&mut self.function);
                        self.enter(function, false);
                    }
                    return None;
                }
                // what has to fail; within a condition it is waited for
                "!" => *doubt |= !self.blocks.last().is_some_and(|block| block.condition),
                "time" => {}
                _ => break,
            }
            words.pop_front();
        }
        Some(())
    }

    fn set(
        &mut self,
        name: String,
        value: Word,
        certain: bool,
        export: bool,
        variables: &mut BTreeMap<String, String>,
    ) {
        if !certain {
            self.forget(&name, variables);
            return;
        }
        match value.unseen {
            None => variables.insert(name.clone(), value.text.clone()),
            Some(_) => variables.remove(&name),
        };
        match self.exported.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None if export && (self.hands_on)(&name) => self.exported.push((name, value)),
            None => {}
        }
    }

    /// `export NAME`, of a variable that was set before.
    fn export(&mut self, name: &Word, variables: &BTreeMap<String, String>) {
        let known = self.exported.iter().any(|(known, _)| *known == name.text);
        if known || !(self.hands_on)(&name.text) {
            return;
        }
        let value = variables.get(&name.text).cloned();
        let unseen = value.is_none().then(|| format!("the variable {} is set elsewhere", name.text));
        let text = value.unwrap_or_else(|| format!("${}", name.text));
        self.exported.push((name.text.clone(), Word { text, unseen, ..name.clone() }));
    }

    /// A variable whose value is not known any more.
    fn forget(&mut self, name: &str, variables: &mut BTreeMap<String, String>) {
        variables.remove(name);
        if let Some((_, value)) = self.exported.iter_mut().find(|(known, _)| known == name) {
            value.unseen = Some(format!("the script may set the variable {name}"));
            value.text = format!("${name}");
        }
    }
}

//! The worker as one script: it is made out of a blob, so that it is under the page's policy and can be made again
//! without asking the server; and what is made out of a blob imports nothing.

use std::error::Error;

/// The module's glue, the library around it, and the worker, each in a scope of its own.
pub fn one(glue: &str, library: &str, worker: &str) -> Result<String, Box<dyn Error>> {
    let (glue, mut names) = scope(glue);
    names.push("default: __wbg_init".to_owned());
    let (library, exported) = scope(library);
    let (worker, none) = scope(worker);
    if names.len() < 2 || exported.is_empty() || !none.is_empty() {
        return Err("the worker's scripts are not as they were expected".into());
    }
    Ok(format!(
        "const glue = (() => {{\n{glue}\nreturn {{ {} }};\n}})();\n\
         const linter = (() => {{\nconst {{ default: start, ...module }} = glue;\n{library}\nreturn {{ {} }};\n}})();\n\
         {worker}",
        names.join(", "),
        exported.join(", ")
    ))
}

/// A module without its imports and the word `export`, and the names that it exported.
fn scope(module: &str) -> (String, Vec<String>) {
    let mut names = Vec::new();
    let mut text = String::new();
    for line in module.lines().filter(|line| !line.starts_with("import ") && !line.starts_with("export {")) {
        let declared = line.strip_prefix("export ");
        if let Some(declared) = declared {
            let mut words = declared.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            names
                .extend(words.find(|word| !["async", "function", "const"].contains(word)).map(str::to_owned));
        }
        text.push_str(declared.unwrap_or(line));
        text.push('\n');
    }
    (text, names)
}

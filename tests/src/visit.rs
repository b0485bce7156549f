//! The page as a visitor has it: served on loopback, open in a real browser, watched.

use std::path::Path;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::programs::{Program, required, target};
use crate::serve::Server;

/// The page, open in a browser of its own.
#[derive(Debug)]
pub struct Page {
    /// The browser.
    pub browser: Browser,
    /// What serves it.
    pub server: Server,
}

/// The page, loaded; nothing with a word where there is no browser and none is required.
pub fn page() -> Option<Page> {
    visit(|site| Server::start(site, 0))
}

/// The page from a server that sends no policy with it: the page's own has to do.
pub fn page_without_headers() -> Option<Page> {
    visit(|site| Server::with_headers(site, 0, ""))
}

fn visit(serve: impl FnOnce(&Path) -> std::io::Result<Server>) -> Option<Page> {
    let site = target().join("page/site");
    assert!(
        site.join("mtls_demo_bg.wasm").is_file(),
        "{} is not built: run cargo run -p mtls-tests --bin page",
        site.display()
    );
    for program in [Program::Chromium, Program::Chromedriver] {
        if let Err(error) = program.find() {
            assert!(!required(), "{error}");
            eprintln!("skipped: {error}");
            return None;
        }
    }
    let server = serve(&site).unwrap();
    let browser = Browser::start(&server.origin()).unwrap();
    browser.prefer("light");
    let page = Page { browser, server };
    page.load("");
    Some(page)
}

impl Page {
    /// Loads it anew, with a fragment.
    pub fn load(&self, fragment: &str) {
        // another document, not another fragment of the same
        self.browser.open("about:blank");
        self.browser.open(&format!("{}{fragment}", self.browser.origin()));
        self.browser.wait("the page", "document.body.dataset.ready");
    }

    /// Does something and waits for the judgement that follows.
    pub fn judged(&self, act: impl FnOnce(&Browser)) {
        let judged = "Number(document.body.dataset.judged ?? 0)";
        let before = self.browser.run(&format!("return {judged}"), &[]);
        act(&self.browser);
        self.browser.wait("a judgement", &format!("{judged} > {before}"));
    }

    /// Chooses an example.
    pub fn example(&self, title: &str) {
        self.judged(|browser| browser.press("#examples", title));
        self.browser.wait("the diagram", "document.querySelector('#diagram svg')");
    }

    /// Drops files, as texts.
    pub fn drop_files(&self, files: &[(&str, &str)]) {
        let files: Vec<Value> = files.iter().map(|(path, text)| json!([path, text])).collect();
        self.judged(|browser| {
            browser.run(
                "const transfer = new DataTransfer();
                 for (const [path, text] of arguments[0]) transfer.items.add(new File([text], path));
                 document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}));",
                &[json!(files)],
            );
        });
    }

    /// Rule ids of the findings shown, in order.
    pub fn rules(&self) -> Vec<String> {
        let found = self.browser.run(
            "return [...document.querySelectorAll('#finding-list .finding button.rule')].map((rule) => rule.textContent)",
            &[],
        );
        serde_json::from_value(found).unwrap()
    }

    /// Keeps what is to be seen.
    pub fn shot(&self, name: &str) {
        let folder = target().join("page-screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        // what moves has come to rest
        std::thread::sleep(std::time::Duration::from_millis(250));
        std::fs::write(folder.join(name), self.browser.screenshot()).unwrap();
    }

    /// Nothing went wrong in the console, and nothing was asked of anybody else.
    pub fn quiet(&self) {
        let errors: Vec<Value> = self
            .browser
            .log("browser")
            .into_iter()
            .filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
        let origin = self.browser.origin();
        for entry in self.browser.log("performance") {
            let message: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            if message["message"]["method"] != "Network.requestWillBeSent" {
                continue;
            }
            let url = message["message"]["params"]["request"]["url"].as_str().unwrap().to_owned();
            let inside = ["data:", "blob:", "about:"].iter().any(|scheme| url.starts_with(scheme));
            assert!(inside || url.starts_with(origin), "a request went to {url}");
        }
    }
}

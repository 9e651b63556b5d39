//! The tracked files, and what of a Rust file is code.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A tracked file that is text.
#[derive(Debug)]
pub(crate) struct Source {
    /// From the root, with `/`.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether it is Rust of the product: not a test, nor what only tests mount.
    pub(crate) fn is_product(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let of_tests = ["/tests/", "/golden/"].iter().any(|folder| self.path.contains(folder))
            || ["tests.rs", "testing.rs", "golden.rs"].contains(&name);
        self.path.ends_with(".rs") && self.path.contains("/src/") && !of_tests
    }

    /// The text without its tests: by custom a module at the end of the file.
    pub(crate) fn without_tests(&self) -> &str {
        let tests = ["\n#[cfg(test)]\nmod tests {", "\n#[cfg(test)]\npub(crate) mod tests {"];
        let tests = tests.iter().chain(&["\n#[cfg(test)]\npub(in crate::device) mod tests {"]);
        let end = tests.filter_map(|start| self.text.find(start)).min();
        end.map_or(self.text.as_str(), |end| &self.text[..end])
    }

    /// The code without tests, comments and the contents of string literals, line by line.
    pub(crate) fn code(&self) -> String {
        blank(self.without_tests())
    }
}

/// Where the project is.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The paths of all files that are tracked, or will be once added.
pub(crate) fn paths() -> Vec<String> {
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate"];
    let listed = Command::new("git").args(arguments).current_dir(root()).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).unwrap();
    // What is deleted and not yet committed is still listed.
    listed.lines().filter(|path| root().join(path).exists()).map(str::to_owned).collect()
}

/// Those of them that are text.
pub(crate) fn all() -> Vec<Source> {
    let read =
        |path: String| Some(Source { text: String::from_utf8(std::fs::read(root().join(&path)).unwrap()).ok()?, path });
    paths().into_iter().filter_map(read).collect()
}

/// A list of exceptions: lines of `what: why`, the rest comments.
pub(crate) fn exceptions(name: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("tests/tidy").join(name)).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let split = |line: &str| {
        let (what, why) = line.split_once(": ").unwrap_or_else(|| panic!("{name} gives no reason: {line}"));
        (what.to_owned(), why.to_owned())
    };
    lines.map(split).collect()
}

/// Rust with its comments and the contents of its literals blanked out; lines stay where they are.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let keep_lines = |skipped: &str| "\n".repeat(skipped.matches('\n').count());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let before = at.checked_sub(1).map_or(b' ', |before| bytes[before]);
        let in_word = before.is_ascii_alphanumeric() || before == b'_';
        let raw = rest.trim_start_matches('b').strip_prefix('r').filter(|_| !in_word && rest.starts_with(['r', 'b']));
        let hashes = raw.map_or(0, |raw| raw.len() - raw.trim_start_matches('#').len());
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if raw.is_some_and(|raw| raw[hashes..].starts_with('"')) {
            let open = rest.find('"').unwrap_or_default() + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            rest[open..].find(&close).map_or(rest.len(), |end| open + end + close.len())
        } else if rest.starts_with('"') {
            string_length(rest)
        } else if rest.starts_with('\'') {
            char_length(rest)
        } else {
            0
        };
        if length == 0 {
            let next = rest.chars().next().unwrap_or(' ');
            out.push(next);
            at += next.len_utf8();
        } else {
            out.push_str(&keep_lines(&rest[..length]));
            at += length;
        }
    }
    out
}

fn string_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of a character literal; 0 for a lifetime.
fn char_length(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), Some((at, _))) => rest[at + 1..].find('\'').map_or(0, |end| at + 1 + end + 1),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

#[test]
fn comments_and_literals_are_no_code() {
    let text = "let a = \"axum::x // no\"; // sqlx::y\nlet b = r#\"sqlx::\"z\"#; let c: &'a str = f('\"', '\\'', b\"q\");\n/* t */";
    assert_eq!(blank(text), "let a = ; \nlet b = ; let c: &'a str = f(, , b);\n");
    let source = Source::new("a/src/b.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n");
    assert_eq!(source.code(), "fn a() {}");
}

#[test]
fn an_exception_gives_its_reason() {
    for name in ["ignored.txt", "long_files.txt"] {
        for (what, why) in exceptions(name) {
            assert!(!what.is_empty() && why.len() > 10, "{name}: {what}");
        }
    }
}

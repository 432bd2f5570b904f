//! The house's rules, executed. `docs/ARCHITECTURE.md` gives the reasons.

use std::path::{Path, PathBuf};

/// A source file: its path from the repository's root, and its text.
struct Source {
    path: String,
    text: String,
}

/// Sources in Rust.
fn sources(folder: &str) -> Vec<Source> {
    files(folder, &["rs"])
}

/// Files with one of these endings. Folders that tools fill are left out.
fn files(folder: &str, endings: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    collect(&root.join(folder), endings, &mut files);
    files
        .into_iter()
        .map(|file| Source {
            path: file.strip_prefix(&root).unwrap().display().to_string(),
            text: std::fs::read_to_string(&file).unwrap(),
        })
        .collect()
}

fn collect(folder: &Path, endings: &[&str], files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("node_modules") && !path.ends_with("target") {
            collect(&path, endings, files);
        } else if endings
            .iter()
            .any(|ending| path.extension().is_some_and(|e| e == *ending))
        {
            files.push(path);
        }
    }
}

/// Lines of code that name `word` in files that `applies` to.
fn offenders(sources: &[Source], word: &str, applies: impl Fn(&str) -> bool) -> Vec<String> {
    sources
        .iter()
        .filter(|source| applies(&source.path))
        .flat_map(|source| {
            let lines = source.text.lines().enumerate();
            let code = lines
                .filter(|(_, line)| !line.trim_start().starts_with("//") && line.contains(word));
            code.map(|(number, line)| format!("{}:{}: {}", source.path, number + 1, line.trim()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The workspace's folders.
const HOUSE: [&str; 6] = ["api", "entity", "migration", "local", "assets", "tests"];

fn none(offenders: &[String], rule: &str) {
    assert!(offenders.is_empty(), "{rule}\n{}", offenders.join("\n"));
}

#[test]
fn rules_know_neither_graphql_nor_http() {
    let api = sources("api/src");
    let rules = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or_default();
        [
            "service.rs",
            "job.rs",
            "queue.rs",
            "worker.rs",
            "access.rs",
            "db.rs",
        ]
        .contains(&name)
            || path.contains("/storage/")
            || path.contains("/vision/")
            || path.contains("/media/")
            || path.contains("/matcher/")
    };
    for word in [
        "async_graphql",
        "axum::",
        "crate::graphql",
        "crate::http",
        "crate::app",
    ] {
        none(
            &offenders(&api, word, rules),
            "services, jobs and ports know no async_graphql and no axum, and nothing above them",
        );
    }
}

#[test]
fn resolvers_know_neither_database_nor_aws() {
    let api = sources("api/src");
    for word in ["sea_orm::", "aws_sdk_", "aws_config"] {
        none(
            &offenders(&api, word, |path| path.ends_with("graphql.rs")),
            "graphql.rs knows no sea_orm and no AWS SDK",
        );
    }
}

#[test]
fn each_sdk_stands_in_one_place() {
    let api = sources("api/src");
    for (word, home) in [
        ("aws_sdk_s3", "/storage/"),
        ("aws_sdk_rekognition", "/vision/"),
        ("aws_config", "/app.rs"),
    ] {
        none(
            &offenders(&api, word, |path| !path.contains(home)),
            &format!("{word} stands in {home} only"),
        );
    }
    for below in [
        "local",
        "entity",
        "migration",
        "assets",
        "api/media",
        "api/wire",
    ] {
        none(
            &offenders(&sources(below), "eventgallery::", |_| true),
            &format!("{below} knows nothing of the app"),
        );
    }
}

#[test]
fn services_keep_their_order() {
    // auth < gallery < photo < analysis < people, upload; gallery < share: an earlier one uses no later one's service.
    let order = ["auth", "gallery", "photo", "analysis"];
    let api = sources("api/src");
    for (index, earlier) in order.iter().enumerate() {
        let later = order[index + 1..]
            .iter()
            .chain(&["people", "upload", "share"]);
        for other in later {
            let file = format!("/{earlier}/service.rs");
            let word = format!("crate::{other}::service");
            none(
                &offenders(&api, &word, |path| path.ends_with(&file)),
                "services keep their order",
            );
        }
    }
}

#[test]
fn files_are_short_and_named_after_what_they_are_about() {
    for folder in HOUSE {
        for source in files(folder, &["rs", "sh", "py", "mjs"]) {
            let lines = source.text.lines().count();
            assert!(
                lines <= 500,
                "{} has {lines} lines; 500 at most",
                source.path
            );
            for name in ["utils", "util", "common", "helpers", "misc"] {
                let module = source.path.contains(&format!("/{name}/"))
                    || source.path.contains(&format!("/{name}."));
                assert!(!module, "{}: no module is named {name}", source.path);
            }
        }
    }
}

#[test]
fn nothing_is_silenced_or_left_open() {
    for folder in HOUSE {
        let rust = sources(folder);
        for word in [concat!("#[", "allow("), concat!("#![", "allow(")] {
            none(
                &offenders(&rust, word, |_| true),
                "#[expect(…, reason)] instead",
            );
        }
        // In comments too.
        for source in files(folder, &["rs", "sh", "py", "mjs", "toml", "md", "graphql"]) {
            for (number, line) in source.text.lines().enumerate() {
                for word in [
                    concat!("TO", "DO"),
                    concat!("FIX", "ME"),
                    concat!("to", "do!("),
                ] {
                    assert!(
                        !line.contains(word),
                        "{}:{}: nothing is left open: {line}",
                        source.path,
                        number + 1
                    );
                }
            }
        }
    }
}

#[test]
fn lockfiles_of_npm_hold_hashes_and_no_addresses() {
    for lockfile in ["assets", "tests/clients"]
        .iter()
        .flat_map(|folder| files(folder, &["json"]))
        .filter(|source| source.path.ends_with("package-lock.json"))
    {
        for word in [concat!("\"resol", "ved\""), "http:", "https:"] {
            // Whoever installs names the registry; a page that asks for money is none.
            let lines = lockfile.text.lines();
            let bad: Vec<&str> = lines
                .filter(|line| line.contains(word) && !line.trim().starts_with("\"url\""))
                .collect();
            assert!(bad.is_empty(), "{}: {bad:?}", lockfile.path);
        }
        assert!(lockfile.text.contains("sha512-"), "{}", lockfile.path);
    }
}

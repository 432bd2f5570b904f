//! Fetches the third-party files with npm, as the lockfile pins them, and checks each one's hash.
//!
//! They are fetched rather than committed because they are other people's work, 17 MB of it. Only
//! files that this table names reach the program, and only if their bytes are the known ones.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use sha2::{Digest, Sha256};

/// Names a folder that holds a ready `node_modules`, for builds without a registry.
const ASSETS_DIR: &str = "EVENTGALLERY_ASSETS_DIR";

const FACE_API: &str = "@vladmandic/face-api";
const HUMAN: &str = "@vladmandic/human";

/// What npm reads to install; a change of one of them fetches anew.
const NPM_FILES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// Package, path in it, name in `OUT_DIR/files`, SHA-256.
#[rustfmt::skip]
const FILES: [(&str, &str, &str, &str); 23] = [
    (FACE_API, "model/ssd_mobilenetv1_model-weights_manifest.json", "ssd_mobilenetv1.json", "888f744dffbc84f5f060d1f8427d9742341943a2dfaaf9205d10029b7e7a2955"),
    (FACE_API, "model/ssd_mobilenetv1_model.bin", "ssd_mobilenetv1.bin", "2835640602d53718aa6ae9a42896327eaa21beefed056c218d32ca7d79e1e2f8"),
    (FACE_API, "model/face_landmark_68_model-weights_manifest.json", "face_landmark_68.json", "ca4886639f86e99b39fed0c155f81b63317225773bd9616716e887b0153389c9"),
    (FACE_API, "model/face_landmark_68_model.bin", "face_landmark_68.bin", "4611ef65c87d836d03d684b30eec4d195d8b219fa1dd58fc58945831c6b9299b"),
    (FACE_API, "model/face_recognition_model-weights_manifest.json", "face_recognition.json", "cbaffa501b0b9275a12b63357a6843e7e30c054e1c9151e1a5f879b26e32986b"),
    (FACE_API, "model/face_recognition_model.bin", "face_recognition.bin", "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589"),
    (HUMAN, "models/centernet.json", "centernet.json", "bfb942eaacc5becf738d536663bc4580a0ae9e560722306e6d4dd7fe4a09de05"),
    (HUMAN, "models/centernet.bin", "centernet.bin", "1b635a15009071f506f9f2b3519b31c072c534888989f30d269ffd44734ef7ef"),
    (FACE_API, "demo/sample1.jpg", "sample1.jpg", "8ecae4b267b2d3169e06e00c7dee97097aa2a94635d45216f7732a5f4943cb51"),
    (FACE_API, "demo/sample2.jpg", "sample2.jpg", "7d2b60ae6f13bf30f422e04df87451081a02c83de469056f25afb44b7000c691"),
    (FACE_API, "demo/sample3.jpg", "sample3.jpg", "8eb081c9efb14370fa94d9feab9e5fbeafd19a627491853a80c2bf67f7ffa936"),
    (FACE_API, "demo/sample4.jpg", "sample4.jpg", "729efa5923061d40eb4ed5f267a18cc7b8ba6f852bb2757b16d8b7e4937476fc"),
    (FACE_API, "demo/sample5.jpg", "sample5.jpg", "6d45095ebb182d8f975c0790e0e4eefd86fbb40609cf4b271776d92e12662938"),
    (FACE_API, "demo/sample6.jpg", "sample6.jpg", "9baad80f9d5e306fb9b8c0913d44445f1e95848df317530efb03d0934c57ba87"),
    ("react", "umd/react.production.min.js", "react.production.min.js", "d949f1c3687aedadcedac85261865f29b17cd273997e7f6b2bfc53b2f9d4c4dd"),
    ("react-dom", "umd/react-dom.production.min.js", "react-dom.production.min.js", "35f4f974f4b2bcd44da73963347f8952e341f83909e4498227d4e26b98f66f0d"),
    ("graphiql", "graphiql.min.js", "graphiql.min.js", "867226ba8af5ce7949903fc53932f78dac9f4bfc6cc8da0fd3869b8bc6c5256b"),
    ("graphiql", "graphiql.min.css", "graphiql.min.css", "30487e07635d312a63f647b140d37740a73c53332b0975bf4b1fe985ca6ec885"),
    (FACE_API, "LICENSE", "face-api.LICENSE", "9a3442b79acaf4fbc7c2e07b7e2d8f84af9bb3871bf08a69d80304ab00640e9a"),
    (HUMAN, "LICENSE", "human.LICENSE", "9a3442b79acaf4fbc7c2e07b7e2d8f84af9bb3871bf08a69d80304ab00640e9a"),
    ("graphiql", "LICENSE", "graphiql.LICENSE", "4b18fbe55c4e8f9169cb702be138f4d858a2dad920c39857204ffdc9c1c9fdc4"),
    ("react", "LICENSE", "react.LICENSE", "52412d7bc7ce4157ea628bbaacb8829e0a9cb3c58f57f99176126bc8cf2bfc85"),
    ("react-dom", "LICENSE", "react-dom.LICENSE", "52412d7bc7ce4157ea628bbaacb8829e0a9cb3c58f57f99176126bc8cf2bfc85"),
];

fn main() -> ExitCode {
    for file in NPM_FILES.iter().chain(&["build.rs"]) {
        println!("cargo::rerun-if-changed={file}");
    }
    println!("cargo::rerun-if-env-changed={ASSETS_DIR}");
    match provide() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            println!("cargo::error={}", reason.replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

fn provide() -> Result<(), String> {
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: build with cargo")?;
    let out = PathBuf::from(out);
    let files = out.join("files");
    if FILES
        .iter()
        .all(|&(_, _, name, hash)| is_intact(&files.join(name), hash))
    {
        return Ok(());
    }
    if let Some(folder) = env::var_os(ASSETS_DIR) {
        return take(Path::new(&folder), &files);
    }
    let npm = out.join("npm");
    install(&npm)?;
    take(&npm, &files)?;
    // 89 MB of which 17 MB were taken; a failure to clean up is no failure to build.
    let _ = fs::remove_dir_all(&npm);
    Ok(())
}

fn is_intact(path: &Path, hash: &str) -> bool {
    fs::read(path).is_ok_and(|bytes| sha256(&bytes) == hash)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Runs `npm ci` in `folder`.
fn install(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    for file in NPM_FILES {
        fs::copy(file, folder.join(file)).map_err(|e| format!("cannot copy assets/{file}: {e}"))?;
    }
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    // No scripts: the packages are data here, none of their code runs.
    let output = Command::new(npm)
        .args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--omit=dev",
            "--omit=peer",
        ])
        .args(["--loglevel=error"])
        .current_dir(folder)
        .output();
    let advice = format!(
        "install Node.js 20 or newer with npm and let it reach its registry, or set {ASSETS_DIR} \
         to a folder where `npm ci` was run in a copy of assets/"
    );
    match output {
        Err(e) => Err(format!("cannot run npm ({e}): {advice}")),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            let first = errors
                .lines()
                .find(|line| !line.trim().is_empty())
                .unwrap_or("no message");
            Err(format!(
                "npm ci failed ({}; {}): {advice}",
                output.status,
                first.trim()
            ))
        }
    }
}

/// Copies the files of the table out of `folder/node_modules`, if their hashes are right.
fn take(folder: &Path, files: &Path) -> Result<(), String> {
    fs::create_dir_all(files).map_err(|e| format!("cannot make {}: {e}", files.display()))?;
    for (package, path, name, hash) in FILES {
        let from = folder.join("node_modules").join(package).join(path);
        let bytes = fs::read(&from).map_err(|e| format!("cannot read {}: {e}", from.display()))?;
        let found = sha256(&bytes);
        if found != hash {
            return Err(format!(
                "{package}/{path} has SHA-256 {found}, expected {hash}"
            ));
        }
        fs::write(files.join(name), bytes).map_err(|e| format!("cannot write {name}: {e}"))?;
    }
    Ok(())
}

//! Grouping of real faces, measured against names.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use harness::pictures::{self, Picture};
use harness::{TestApp, aws};
use serde_json::{Value, json};

/// Photos of one person each, as folders named after them; `tests/run` unpacks them out of packages.
#[expect(clippy::disallowed_methods, reason = "tests/run says where they are")]
fn labelled() -> Option<Vec<(String, Picture)>> {
    let folder = std::env::var("TEST_FACES").ok()?;
    let mut photos = Vec::new();
    let mut people: Vec<_> = std::fs::read_dir(Path::new(&folder))
        .unwrap()
        .flatten()
        .collect();
    people.sort_by_key(std::fs::DirEntry::file_name);
    for person in people.iter().filter(|entry| entry.path().is_dir()) {
        let name = person.file_name().to_string_lossy().into_owned();
        let mut files: Vec<_> = std::fs::read_dir(person.path())
            .unwrap()
            .flatten()
            .map(|f| f.path())
            .collect();
        files.sort();
        for file in files {
            let (extension, content_type) = match file.extension().and_then(|e| e.to_str()) {
                Some("png") => ("png", "image/png"),
                _ => ("jpg", "image/jpeg"),
            };
            let bytes = std::fs::read(&file).unwrap();
            let file = format!("{name} {}.{extension}", photos.len());
            photos.push((
                name.clone(),
                Picture {
                    name: file,
                    content_type,
                    bytes,
                },
            ));
        }
    }
    Some(photos)
}

/// A copy with a byte more is another photo of the same people.
#[tokio::test]
async fn everybody_in_two_copies_of_a_photo_is_one_person() {
    if !aws::analysis_works() || harness::database::is_server() {
        return;
    }
    let mut counts: Vec<Vec<usize>> = Vec::new();
    for matcher in ["COLLECTION", "COMPARE"] {
        let app = TestApp::start().await;
        let ada = app.user("ada").await;
        let mut people_of_each = Vec::new();
        for picture in pictures::samples() {
            let gallery = ada
                .gallery_with(json!({ "name": "g", "faceMatcher": matcher }))
                .await;
            let mut copy = picture.clone();
            copy.name = format!("copy of {}", picture.name);
            copy.bytes.push(0);
            let ids = ada.upload(&gallery, &[picture.clone(), copy]).await;
            app.run_jobs().await;
            let mut copies: Vec<Vec<Value>> = Vec::new();
            for id in &ids {
                let photo = ada.photo(id, "status faces { person { id } }").await;
                assert_eq!(photo["status"], "READY", "{photo:#}");
                let faces = photo["faces"].as_array().unwrap().iter();
                copies.push(faces.map(|face| face["person"]["id"].clone()).collect());
            }
            assert_eq!(copies[0], copies[1], "{matcher} {}", picture.name);
            let people: HashSet<&str> = copies[0].iter().filter_map(Value::as_str).collect();
            people_of_each.push(people.len());
        }
        counts.push(people_of_each);
        app.stop().await;
    }
    assert!(counts[0].iter().sum::<usize>() > 15, "{counts:?}");
    assert_eq!(counts[0], counts[1], "people a photo by either matcher");
}

#[tokio::test]
async fn people_are_told_apart() {
    if !aws::analysis_works() || harness::database::is_server() {
        // The database makes no difference to who resembles whom; `analysis` runs on all of them.
        return;
    }
    let Some(photos) = labelled() else {
        report("left out: grouping of labelled faces (TEST_FACES is not set; tests/run sets it)");
        return;
    };
    for (matcher, people, most) in [("COLLECTION", 20, 4), ("COMPARE", 10, 3)] {
        let app = TestApp::start().await;
        let ada = app.user("ada").await;
        let gallery = ada
            .gallery_with(json!({ "name": "g", "faceMatcher": matcher }))
            .await;
        let mut taken: HashMap<&str, usize> = HashMap::new();
        let mut chosen: Vec<(String, Picture)> = Vec::new();
        for (name, picture) in &photos {
            if taken.len() == people && !taken.contains_key(name.as_str()) {
                continue;
            }
            let count = taken.entry(name).or_default();
            *count += 1;
            if *count <= most {
                chosen.push((name.clone(), picture.clone()));
            }
        }
        let pictures: Vec<Picture> = chosen.iter().map(|(_, picture)| picture.clone()).collect();
        let ids = ada.upload(&gallery, &pictures).await;
        app.run_jobs().await;
        let mut groups: Vec<(String, String)> = Vec::new();
        for (id, (name, _)) in ids.iter().zip(&chosen) {
            let photo = ada.photo(id, "status faces { person { id } }").await;
            assert_eq!(photo["status"], "READY", "{photo:#}");
            // Photos of exactly one face carry a label that can be trusted.
            if let [face] = photo["faces"].as_array().unwrap().as_slice()
                && let Value::String(person) = &face["person"]["id"]
            {
                groups.push((name.clone(), person.clone()));
            }
        }
        let (mut together_right, mut together_wrong, mut apart_wrong) = (0u32, 0u32, 0u32);
        for (index, (name, group)) in groups.iter().enumerate() {
            for (other_name, other_group) in &groups[index + 1..] {
                match (name == other_name, group == other_group) {
                    (true, true) => together_right += 1,
                    (false, true) => together_wrong += 1,
                    (true, false) => apart_wrong += 1,
                    (false, false) => {}
                }
            }
        }
        let names: HashSet<&String> = groups.iter().map(|(name, _)| name).collect();
        let precision =
            f64::from(together_right) / f64::from((together_right + together_wrong).max(1));
        let recall = f64::from(together_right) / f64::from((together_right + apart_wrong).max(1));
        report(&format!(
            "{matcher}: {} faces of {} people: pairwise precision {precision:.4}, recall {recall:.4}",
            groups.len(),
            names.len()
        ));
        assert!(names.len() >= 8, "at least 8 people");
        assert!(precision >= 0.98, "{matcher}: precision {precision}");
        assert!(recall >= 0.5, "{matcher}: recall {recall}");
        app.stop().await;
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the measured numbers belong into the test's output"
)]
fn report(line: &str) {
    eprintln!("{line}");
}

//! The demo's tables.

use std::fmt::Write as _;

use super::gallery::Gallery;

/// Most labels that the table shows.
const LABELS: usize = 20;

/// People, most seen first.
pub(super) fn people(gallery: &Gallery) -> String {
    let rows: Vec<[String; 3]> = gallery
        .people
        .iter()
        .enumerate()
        .map(|(index, person)| {
            let name = person
                .name
                .clone()
                .unwrap_or_else(|| format!("Person {}", index + 1));
            [name, person.faces.to_string(), person.photos.to_string()]
        })
        .collect();
    render(["person", "faces", "photos"], &rows)
}

/// Labels, most frequent first.
pub(super) fn labels(gallery: &Gallery) -> String {
    let rows: Vec<[String; 2]> = gallery
        .labels
        .iter()
        .take(LABELS)
        .map(|(name, photos)| [name.clone(), photos.to_string()])
        .collect();
    render(["label", "photos"], &rows)
}

fn render<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    let mut line = |cells: &[String; N]| {
        for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
            // The first column is text, the others are numbers.
            let _ = if index == 0 {
                write!(out, "  {cell:<width$}")
            } else {
                write!(out, "  {cell:>width$}")
            };
        }
        out.push('\n');
    };
    line(&head.map(str::to_owned));
    line(&std::array::from_fn(|i| "-".repeat(widths[i])));
    for row in rows {
        line(row);
    }
    out
}
